/**
 * Whether a concurrent history could have come of operations that happen one at a time, each at some moment between its call and
 * its answer (Herlihy and Wing 1990).
 *
 * - L1 Three verdicts: what was not decided within its bounds is `Unknown`, with the reason; it has not passed.
 * - L2 The parts of a history take turns: one that can be refuted soon is not kept waiting by one that cannot. The first that is
 *   impossible ends the search.
 * - L3 What is remembered is bounded by `memoryBytesMax`. A part that needs more is given up, and the others get what it held.
 * - L4 The verdict depends on the history and the bounds, not on how often `advance` is called.
 * Absent on purpose: time, and cancellation as such. Who calls `advance` may stop calling it.
 */
import { MemoryBudget } from "./MemoryBudget.ts"
import type { Model, Operation } from "./Model.ts"
import { type DeadEnd, PartSearch } from "./PartSearch.ts"

export type Verdict<State, Input, Output> =
  | { readonly _tag: "Linearizable" }
  | ({
      readonly _tag: "NotLinearizable"
      /** Of the model's partition; "" where there is none. */
      readonly part: string
      readonly partOperations: number
    } & DeadEnd<State, Input, Output>)
  | { readonly _tag: "Unknown"; readonly reason: string }

export interface Options {
  /** Steps of the whole search, after which it gives up; each tries one operation at one place. Infinity by default. */
  readonly stepsMax?: number
  /** Of what the search remembers; half a gigabyte by default. */
  readonly memoryBytesMax?: number
  /** Judge the whole as one object, whatever the model's partition. */
  readonly isWhole?: boolean
}

export interface Progress {
  readonly steps: number
  readonly parts: number
  readonly partsDone: number
  readonly memoryBytes: number
}

const memoryBytesDefault = 512 * 2 ** 20
/** Of one part at a time. */
const turnSteps = 4_096

interface Part<State, Input, Output> {
  readonly name: string
  readonly operations: ReadonlyArray<Operation<Input, Output>>
  /** From its first turn on. */
  search: PartSearch<State, Input, Output> | undefined
}

export class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #memory: MemoryBudget
  readonly #stepsMax: number
  readonly #parts: number
  #open: Array<Part<State, Input, Output>>
  #turn = 0
  #turnLeft = turnSteps
  #steps = 0
  readonly #givenUp: Array<string> = []
  #verdict: Verdict<State, Input, Output> | undefined

  /** Dies where an operation was answered before it was called. */
  constructor(
    model: Model<State, Input, Output>,
    operations: ReadonlyArray<Operation<Input, Output>>,
    options: Options = {}
  ) {
    this.#model = model
    this.#memory = new MemoryBudget(options.memoryBytesMax ?? memoryBytesDefault)
    this.#stepsMax = options.stepsMax ?? Infinity
    const parts = new Map<string, Array<Operation<Input, Output>>>()
    for (const operation of operations) {
      if (operation.returned < operation.called) {
        throw new Error(
          `${model.describe(operation.input, operation.output)} by ${operation.process} was answered before it was called`
        )
      }
      const name = options.isWhole === true ? "" : (model.partition?.(operation.input) ?? "")
      const part = parts.get(name)
      if (part === undefined) parts.set(name, [operation])
      else part.push(operation)
    }
    this.#open = Array.from(parts, ([name, operations]) => ({ name, operations, search: undefined }))
    this.#parts = parts.size
    if (this.#parts === 0) this.#verdict = { _tag: "Linearizable" }
  }

  get progress(): Progress {
    return {
      steps: this.#steps,
      parts: this.#parts,
      partsDone: this.#parts - this.#open.length,
      memoryBytes: this.#memory.bytes
    }
  }

  /** Goes on for at most so many steps; `undefined` where that was not enough. */
  advance(steps: number): Verdict<State, Input, Output> | undefined {
    for (let left = steps; left > 0 && this.#verdict === undefined;) {
      const part = this.#open[this.#turn]!
      const search = (part.search ??= new PartSearch(this.#model, part.operations, this.#memory))
      const before = search.steps
      const verdict = search.advance(Math.min(left, this.#turnLeft, this.#stepsMax - this.#steps))
      const taken = search.steps - before
      left -= taken
      this.#steps += taken
      this.#turnLeft -= taken
      if (verdict === "impossible") {
        this.#verdict = {
          _tag: "NotLinearizable",
          part: part.name,
          partOperations: part.operations.length,
          ...search.deadEnd()!
        }
        for (const { search } of this.#open) search?.release()
      } else if (verdict !== undefined) {
        if (verdict === "out of memory") this.#givenUp.push(part.name)
        search.release()
        this.#open.splice(this.#turn, 1)
        this.#pass(this.#turn)
      } else if (this.#steps >= this.#stepsMax) {
        this.#verdict = { _tag: "Unknown", reason: `undecided after ${this.#steps} steps` }
      } else if (this.#turnLeft <= 0) this.#pass(this.#turn + 1)
    }
    return this.#verdict
  }

  #pass(turn: number): void {
    this.#turn = turn >= this.#open.length ? 0 : turn
    this.#turnLeft = turnSteps
    if (this.#open.length > 0) return
    const megabytes = Math.round(this.#memory.bytesMax / 2 ** 20)
    const which = this.#givenUp.filter((name) => name !== "").map((name) => ` of ${name}`)
    this.#verdict =
      this.#givenUp.length === 0
        ? { _tag: "Linearizable" }
        : { _tag: "Unknown", reason: `the search${which[0] ?? ""} needs more memory than ${megabytes} MB` }
  }
}

/** The whole search at once. Bound it by `stepsMax`, or take it in pieces with `Search`. */
export const check = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  options: Options = {}
): Verdict<State, Input, Output> => {
  const search = new Search(model, operations, options)
  let verdict: Verdict<State, Input, Output> | undefined
  while (verdict === undefined) verdict = search.advance(1_000_000)
  return verdict
}
