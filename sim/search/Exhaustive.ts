/**
 * An exhaustive search: every choice that a reference run leaves open, and every few of them together that the bound allows, until one
 * fails. Pure steps: requests go out in batches, what became of them comes in, whoever drives them decides where they run.
 *
 * What is made together: things that come late (a message, a fiber, a task), and at most one outage that lasts. Each next one is taken
 * from the run with those before it, because what happens after them happens there only; so in the end each set of them is made once.
 * Departures from a schedule, so many at most, are what Emmi, Qadeer and Rakamarić bound ("Delay-bounded scheduling", POPL 2011), but
 * that one of ours takes any task that can run where theirs only passes the next one over.
 *
 * - E1 Requests are made in an order that follows from the reference run alone, and so does the first failure.
 * - E2 What is counted was run, or is listed as left out with its reason, that it cannot differ. What could differ and is not made is
 *   the bound, which is no number: `choicesOf.ts` says what it is.
 */
import type { ChoicePoint } from "../kernel/ChoicePoint.ts"
import { toMicros } from "../nemesis/FaultPlan.ts"
import { isFailure, type RunRequest, type RunResult } from "../run/Verdict.ts"
import { type Choice, keyOf, requestWith } from "./Choice.ts"
import { choicesOf, type LeftOut } from "./choicesOf.ts"
import type { Scale } from "./Scale.ts"

export interface Bound {
  /** How many choices are made in one run, at the most. */
  readonly choicesMax: number
  /** The first choice acts before this moment of the run. */
  readonly untilMicros: number
  /** The next one acts this soon after the one before has begun, or is over. */
  readonly withinMicros: number
  readonly scale: Scale
}

/** To be run in this order, up to the first failure. */
export interface Batch {
  readonly requests: ReadonlyArray<RunRequest>
  /** Whether to listen to where they could have gone another way. */
  readonly wantsChoicePoints: boolean
  /** How many choices each makes. */
  readonly choices: number
}

export interface Answer {
  readonly result: RunResult
  /** Empty unless they were asked for. */
  readonly choicePoints: ReadonlyArray<ChoicePoint>
}

/** The answers, in the order of the requests, are fewer only where the last is a failure. */
export type Steps = Generator<Batch, Finding | undefined, ReadonlyArray<Answer>>

export interface Finding {
  readonly choices: ReadonlyArray<Choice>
  readonly result: RunResult
}

/** So many runs are asked for what they leave open before that is run. */
const prefixesAtOnce = 16

export class Exhaustive {
  /** Runs by how many choices they made: [1, 4061, 20000]. */
  readonly runs: Array<number> = []
  /** Runs that made one choice, by its kind: those of `runs[1]`. */
  readonly kinds: Record<string, number> = {}
  /** How many runs of one choice there are to make, once the first run has told. */
  planned = 0
  readonly leftOut: Record<LeftOut, number> = {
    "between two steps": 0,
    "another name": 0,
    alone: 0,
    "nothing happened": 0
  }
  /** Runs in which no fault changed anything. */
  idle = 0
  readonly #digests = new Set<string>()
  readonly #known = new Set<string>()
  /** What the requests of the present batch choose, where they are made for the first time. */
  #underWay: ReadonlyArray<ReadonlyArray<Choice>> = []
  readonly #reference: RunRequest
  readonly #bound: Bound

  /** `reference` leaves everything open: no faults, and the schedule of `fifo`. */
  constructor(reference: RunRequest, bound: Bound) {
    this.#reference = reference
    this.#bound = bound
  }

  /** How many runs were different from all others. */
  get different(): number {
    return this.#digests.size
  }

  /** Gives the first failure, or nothing when everything has passed. */
  *steps(): Steps {
    const [reference] = yield* this.#made([[]])
    if (reference === undefined || isFailure(reference.result.verdict)) return foundIn([[]], reference)
    const { choices, leftOut } = this.#open(reference, this.#bound.untilMicros)
    Object.assign(this.leftOut, { ...this.leftOut, ...leftOut })
    this.planned = choices.length
    return yield* this.#try(choices.map((choice) => [choice]))
  }

  /** Counts what of the present batch was run, where whoever drives the search ends it there. */
  stopped(answers: ReadonlyArray<Answer>): void {
    this.#count(answers)
  }

  *#try(all: ReadonlyArray<ReadonlyArray<Choice>>): Steps {
    const answers = yield* this.#made(all)
    const failed = foundIn(all, answers.at(-1), answers.length - 1)
    if (failed !== undefined) return failed
    const depth = (all[0]?.length ?? 0) + 1
    if (depth > this.#bound.choicesMax) return undefined
    const prefixes = all.filter((choices, index) => this.#mayGoOn(choices, answers[index] as Answer))
    for (let index = 0; index < prefixes.length; index += prefixesAtOnce) {
      const some = prefixes.slice(index, index + prefixesAtOnce)
      const requests = some.map((choices) => requestWith(this.#reference, choices))
      const opened = yield { requests, wantsChoicePoints: true, choices: depth - 1 }
      const next = opened.flatMap((answer, position) =>
        this.#extensions(some[position] as ReadonlyArray<Choice>, answer)
      )
      const found = next.length === 0 ? undefined : yield* this.#try(next)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Runs them, and counts what became of them. */
  *#made(all: ReadonlyArray<ReadonlyArray<Choice>>): Generator<Batch, ReadonlyArray<Answer>, ReadonlyArray<Answer>> {
    const choices = all[0]?.length ?? 0
    const requests = all.map((some) => requestWith(this.#reference, some))
    this.#underWay = all
    const answers = yield { requests, wantsChoicePoints: choices === 0, choices }
    this.#count(answers)
    return answers
  }

  #count(answers: ReadonlyArray<Answer>): void {
    for (const [index, choices] of this.#underWay.slice(0, answers.length).entries()) {
      const { result } = answers[index] as Answer
      this.runs[choices.length] = (this.runs[choices.length] ?? 0) + 1
      if (choices.length === 1) for (const { kind } of choices) this.kinds[kind] = (this.kinds[kind] ?? 0) + 1
      this.#digests.add(result.digest)
      if (isIdle(choices, result)) this.idle++
    }
    this.#underWay = []
  }

  #open({ choicePoints, result }: Answer, untilMicros: number) {
    return choicesOf({ points: choicePoints, nodes: result.nodes }, this.#bound.scale, untilMicros)
  }

  /** Only what others may still be added to is asked what it leaves open. */
  #mayGoOn(choices: ReadonlyArray<Choice>, { result }: Answer): boolean {
    if (!choices.every((choice) => isLate(choice) || isLasting(choice, this.#bound.scale))) return false
    // A strike that changed nothing is over, and has left the run as it was.
    const isOver = choices.length === 1 && choices.every((choice) => "fault" in choice && "struck" in choice.fault.when)
    if (!isOver || !isIdle(choices, result)) return true
    this.leftOut["nothing happened"]++
    return false
  }

  #extensions(choices: ReadonlyArray<Choice>, answer: Answer): ReadonlyArray<ReadonlyArray<Choice>> {
    const { scale, withinMicros } = this.#bound
    const last = choices.at(-1) as Choice
    const mayLast = choices.every(isLate)
    const { atMicros, endMicros = atMicros } = last
    const isSoonAfter = (micros: number, since: number) => micros >= since && micros < since + withinMicros
    return this.#open(answer, endMicros + withinMicros).choices.flatMap((choice) => {
      if (!isSoonAfter(choice.atMicros, atMicros) && !isSoonAfter(choice.atMicros, endMicros)) return []
      if (!isLate(choice) && !(mayLast && isLasting(choice, scale))) return []
      if (choices.some(({ place }) => place === choice.place)) return []
      const together = [...choices, choice]
      const key = keyOf(together)
      if (this.#known.has(key)) return []
      this.#known.add(key)
      return [together]
    })
  }
}

const lateKinds: ReadonlyArray<string> = [
  "network/latency-tail",
  "process/delay-at-point",
  "schedule/another-task",
  "schedule/preempt",
  "schedule/stall"
]

/** Something comes later than it would. */
const isLate = ({ kind }: Choice): boolean => lateKinds.includes(kind)

/** A node, a way or a clock is out of order for so long that others give it up, or for good. */
const isLasting = (choice: Choice, { lastingMillis }: Scale): boolean => {
  if (!("fault" in choice) || !("at" in choice.fault.when)) return false
  const { for: lasts } = choice.fault
  return lasts === undefined || toMicros(lasts) === lastingMillis * 1_000
}

/** Its faults changed nothing that anybody could have seen; a departure from the schedule does not tell. */
const isIdle = (choices: ReadonlyArray<Choice>, { effects }: RunResult): boolean =>
  choices.length > 0 && choices.every((choice) => "fault" in choice) && Object.keys(effects).length === 0

function foundIn(all: ReadonlyArray<ReadonlyArray<Choice>>, last: Answer | undefined, index = 0): Finding | undefined {
  if (last === undefined || !isFailure(last.result.verdict)) return undefined
  return { choices: all[index] as ReadonlyArray<Choice>, result: last.result }
}
