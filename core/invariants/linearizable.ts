/**
 * A rule about whole histories: what was asked of one object and what it answered is explained by some order in which it happened one at a time
 * (`core/history`). Taken down fact by fact, judged when no fact comes any more; and before, each time that the facts have become twice
 * as many: what no order explains so far, none will, and a run that is broken at its beginning need not go on to its end.
 *
 * - H1 A call without an answer stays open for ever: it may have happened, or not.
 * - H2 What cannot be decided within its bounds is counted, and is no violation.
 * - H3 What shows the violation is the first answer that no order explains.
 */
import type { Envelope } from "../facts/Envelope.ts"
import { check } from "../history/Linearizability.ts"
import type { Model, Operation } from "../history/Model.ts"
import type { DeadEnd } from "../history/PartSearch.ts"
import type { Recorded } from "../history/Recorder.ts"
import { type Check, type Judgement, Violation } from "./Invariant.ts"

export interface Taking<Input, Output> {
  readonly step: (envelope: Envelope) => void
  /** By the names of the objects. `called` and `returned` are ids of facts, `returnedAt` the listener's microseconds. */
  readonly histories: () => ReadonlyMap<string, Recorded<Input, Output>>
}

export interface Linearizable<State, Input, Output> {
  /** Kebab case: "fleets-linearizable". */
  readonly name: string
  readonly states: string
  /** What one of the objects is called: "fleet". */
  readonly object: string
  readonly model: Model<State, Input, Output>
  readonly start: () => Taking<Input, Output>
}

/** Of one object's operations: more are cut off. */
export const operationsMax = 4_000
/** Of the search for one object's order: some milliseconds. */
const stepsMax = 20_000
const memoryBytesMax = 16 * 2 ** 20

/** When it is judged for the first time. */
const factsFirst = 1_024

const shownMax = 8

const linearized = { _tag: "Linearizable" } as const

export const linearizable = <State, Input, Output>({
  model,
  name,
  object,
  start,
  states
}: Linearizable<State, Input, Output>): Check => ({
  name,
  states,
  start: () => {
    const { histories, step } = start()
    let facts = 0
    let due = factsFirst
    return {
      step: (envelope) => {
        step(envelope)
        if (++facts < due) return undefined
        due *= 2
        return judge(model, object, histories()).violation
      },
      end: () => judge(model, object, histories())
    }
  }
})

function judge<State, Input, Output>(
  model: Model<State, Input, Output>,
  object: string,
  histories: ReadonlyMap<string, Recorded<Input, Output>>
): Judgement {
  let violation: Violation | undefined
  let shownBy = Infinity
  let decided = 0
  for (const [name, { isCut, operations }] of histories) {
    const verdict = explainsAsAnswered(model, operations)
      ? linearized
      : check(model, operations, { stepsMax, memoryBytesMax, isWhole: true })
    if (verdict._tag === "NotLinearizable" || (verdict._tag === "Linearizable" && !isCut)) decided++
    // Of several the one that shows first.
    if (verdict._tag !== "NotLinearizable" || verdict.unplaced.returned >= shownBy) continue
    shownBy = verdict.unplaced.returned
    const atMicros = operations.find((operation) => operation === verdict.unplaced)?.returnedAt ?? 0
    violation = violationOf(model, `${object} "${name}"`, verdict, { id: shownBy, atMicros })
  }
  return { violation, judged: histories.size, decided }
}

/** Whether each happened just before it was answered: that explains most histories, and takes no search. */
function explainsAsAnswered<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>
): boolean {
  const answered = operations.filter(({ output }) => output !== undefined)
  let state = model.initial
  for (const { input, output, times } of answered.toSorted((one, other) => one.returned - other.returned)) {
    const after = model.step(state, input, output, times)
    if (after === undefined) return false
    state = after
  }
  return true
}

function violationOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  what: string,
  { open, order, state, unplaced }: DeadEnd<State, Input, Output>,
  shownBy: NonNullable<Violation["shownBy"]>
): Violation {
  const said = ({ input, output, process }: Operation<Input, Output>) => `${model.describe(input, output)} (${process})`
  const earlier = order.length - shownMax
  return new Violation(
    // What is quoted differs from run to run: the rest tells which violation it is.
    `no order of what was asked of ${what} explains ${quoted(said(unplaced))}, when ${quoted(model.describeState(state))}`,
    {
      unexplained: said(unplaced),
      before: [...(earlier > 0 ? [`${earlier} more`] : []), ...order.slice(-shownMax).map(said)],
      state: model.describeState(state),
      open: open
        .filter((operation) => operation !== unplaced)
        .slice(0, shownMax)
        .map(said)
    },
    shownBy
  )
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', "'")}"`
}
