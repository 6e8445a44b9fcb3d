/**
 * The search for one order that explains one part of a history (Wing and Gong 1993, with Lowe's memory of where it has been).
 *
 * Depth first: whatever was called before the first answer that is still to be explained may come next. Where that answer is
 * reached and its operation is not placed, the search turns back.
 *
 * - S1 What changes nothing is placed as soon as it may be and never tried elsewhere: it is in nobody's way.
 * - S2 What has no answer need not be placed.
 * - S3 The furthest answer that any order has reached without explaining it ends the prefix that can be explained. What was
 *   called by then and answered later counts with that answer, so that a prefix cut off there may be explained a little further.
 */
import type { MemoryBudget } from "./MemoryBudget.ts"
import type { Model, Operation } from "./Model.ts"
import { PlacedSet } from "./PlacedSet.ts"
import { exhausted, impossible, StateTable } from "./StateTable.ts"

export type PartVerdict = "linearizable" | "impossible" | "out of memory"

/** How far the search has come, where it came furthest. */
export interface DeadEnd<State, Input, Output> {
  /** The longest order that explains every answer before that of `unplaced`. */
  readonly order: ReadonlyArray<Operation<Input, Output>>
  readonly state: State
  readonly unplaced: Operation<Input, Output>
  /** Called before that answer, and not in the order: `unplaced` too. */
  readonly open: ReadonlyArray<Operation<Input, Output>>
}

const head = 0

export class PartSearch<State, Input, Output> {
  readonly #operations: ReadonlyArray<Operation<Input, Output>>
  readonly #states: StateTable<State, Input, Output>
  readonly #placed: PlacedSet
  /** Calls and answers in order, in a ring about `head`: the call of operation n is 2n + 1, its answer 2n + 2. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  /** Where each stands in the history. */
  readonly #positions: Int32Array
  readonly #bits: Int32Array
  readonly #changesNothing: Uint8Array
  readonly #isAnswered: Uint8Array
  readonly #answered: number

  #at: number = head
  #state = 0
  /** After whatever may have changed the state: then reads are looked at first. */
  #mayRead = true
  #unexplained: number
  /** What has been placed, and the state before. */
  readonly #order: Int32Array
  readonly #statesBefore: Int32Array
  #depth = 0

  #furthest = head
  readonly #furthestOrder: Int32Array
  #furthestDepth = 0
  /** How much of the order is as it was when it was last copied: only the rest is copied again. */
  #unchanged = 0
  #furthestState = 0
  #verdict: PartVerdict | undefined
  #steps = 0

  constructor(
    model: Model<State, Input, Output>,
    operations: ReadonlyArray<Operation<Input, Output>>,
    memory: MemoryBudget
  ) {
    // What changes nothing and was not answered says nothing.
    this.#operations = operations
      .filter(({ input, output }) => output !== undefined || model.changesNothing?.(input, output) !== true)
      .toSorted((left, right) => left.called - right.called)
    const count = this.#operations.length
    this.#states = new StateTable(model, this.#operations, memory)
    this.#changesNothing = Uint8Array.from(this.#operations, ({ input, output }) =>
      model.changesNothing?.(input, output) === true ? 1 : 0
    )
    this.#isAnswered = Uint8Array.from(this.#operations, ({ output }) => (output === undefined ? 0 : 1))
    this.#answered = this.#isAnswered.reduce((sum, one) => sum + one, 0)
    this.#unexplained = this.#answered
    this.#placed = new PlacedSet(this.#answered, count - this.#answered, memory)
    this.#bits = new Int32Array(count)
    let answered = 0
    for (const [at, { output }] of this.#operations.entries()) {
      this.#bits[at] = output === undefined ? this.#placed.unansweredBit(at - answered) : answered++
    }
    this.#next = new Int32Array(2 * count + 1)
    this.#previous = new Int32Array(2 * count + 1)
    this.#positions = new Int32Array(2 * count + 1)
    this.#link()
    this.#order = new Int32Array(count)
    this.#statesBefore = new Int32Array(count)
    this.#furthestOrder = new Int32Array(count)
  }

  /** How many operations have been tried, somewhere. */
  get steps(): number {
    return this.#steps
  }

  /** Goes on for at most so many steps; `undefined` where that was not enough. */
  advance(steps: number): PartVerdict | undefined {
    const until = this.#steps + steps
    while (this.#steps < until && this.#verdict === undefined) {
      this.#steps++
      if (this.#mayRead) this.#placeReads()
      else if (this.#unexplained === 0) this.#verdict = "linearizable"
      else if (isCall(this.#at)) this.#try(operationOf(this.#at))
      else this.#turnBack()
    }
    return this.#verdict
  }

  /** Of a part that is impossible: exact. Before that, as far as the search has come. */
  deadEnd(): DeadEnd<State, Input, Output> | undefined {
    if (this.#furthest === head) return undefined
    const order = new Set(this.#furthestOrder.subarray(0, this.#furthestDepth))
    const end = this.#positions[this.#furthest]!
    return {
      order: Array.from(order, (operation) => this.#operations[operation]!),
      state: this.#states.stateOf(this.#furthestState),
      unplaced: this.#operations[operationOf(this.#furthest)]!,
      open: this.#operations.filter((_, at) => !order.has(at) && this.#positions[2 * at + 1]! < end)
    }
  }

  /** Afterwards it knows its verdict, and no more. */
  release(): void {
    this.#states.release()
    this.#placed.release()
  }

  #link(): void {
    // A call counts as before an answer at the same time: they overlap.
    const order = Array.from(this.#operations.entries())
      .flatMap(([at, { called, output, returned }]) =>
        output === undefined
          ? [{ node: 2 * at + 1, time: called }]
          : [
              { node: 2 * at + 1, time: called },
              { node: 2 * at + 2, time: returned }
            ]
      )
      .toSorted((left, right) => left.time - right.time || Number(!isCall(left.node)) - Number(!isCall(right.node)))
    let last = head
    for (const [position, { node }] of order.entries()) {
      this.#positions[node] = position
      this.#next[last] = node
      this.#previous[node] = last
      last = node
    }
    this.#next[last] = head
    this.#previous[head] = last
  }

  /** All that change nothing and could be next: the state stays, so one pass finds them. */
  #placeReads(): void {
    this.#mayRead = false
    let before = head
    for (let at = this.#next[before]!; at !== head && isCall(at); at = this.#next[before]!) {
      const operation = operationOf(at)
      let after = impossible
      if (this.#changesNothing[operation] === 1) {
        this.#steps++
        after = this.#states.step(this.#state, operation)
        if (after === exhausted) this.#verdict = "out of memory"
      }
      if (after >= 0) {
        this.#placed.place(this.#bits[operation]!)
        this.#push(operation, after)
      } else before = at
    }
    this.#at = this.#next[head]!
  }

  #try(operation: number): void {
    const after = this.#changesNothing[operation] === 1 ? impossible : this.#states.step(this.#state, operation)
    if (after === exhausted) this.#verdict = "out of memory"
    else if (after === impossible || (this.#isAnswered[operation] === 0 && after === this.#state)) {
      this.#at = this.#next[this.#at]!
    } else {
      this.#placed.place(this.#bits[operation]!)
      const isNew = this.#placed.isNew(after)
      if (isNew === undefined) this.#verdict = "out of memory"
      else if (isNew) {
        this.#push(operation, after)
        this.#mayRead = true
      } else {
        this.#placed.remove(this.#bits[operation]!)
        this.#at = this.#next[this.#at]!
      }
    }
  }

  #push(operation: number, after: number): void {
    this.#lift(operation)
    this.#order[this.#depth] = operation
    this.#statesBefore[this.#depth++] = this.#state
    this.#state = after
  }

  #turnBack(): void {
    this.#remember()
    for (;;) {
      if (this.#depth === 0) {
        this.#verdict = "impossible"
        return
      }
      const operation = this.#order[--this.#depth]!
      this.#unchanged = Math.min(this.#unchanged, this.#depth)
      this.#state = this.#statesBefore[this.#depth]!
      this.#placed.remove(this.#bits[operation]!)
      this.#putBack(operation)
      if (this.#changesNothing[operation] === 1) continue
      this.#at = this.#next[2 * operation + 1]!
      return
    }
  }

  #remember(): void {
    const isFurther = this.#furthest === head || this.#positions[this.#at]! > this.#positions[this.#furthest]!
    if (!isFurther && (this.#at !== this.#furthest || this.#depth <= this.#furthestDepth)) return
    this.#furthest = this.#at
    this.#furthestOrder.set(this.#order.subarray(this.#unchanged, this.#depth), this.#unchanged)
    this.#furthestDepth = this.#depth
    this.#unchanged = this.#depth
    this.#furthestState = this.#state
  }

  #lift(operation: number): void {
    this.#unlink(2 * operation + 1)
    if (this.#isAnswered[operation] === 0) return
    this.#unlink(2 * operation + 2)
    this.#unexplained--
  }

  #putBack(operation: number): void {
    if (this.#isAnswered[operation] === 1) {
      this.#relink(2 * operation + 2)
      this.#unexplained++
    }
    this.#relink(2 * operation + 1)
  }

  #unlink(node: number): void {
    this.#next[this.#previous[node]!] = this.#next[node]!
    this.#previous[this.#next[node]!] = this.#previous[node]!
  }

  #relink(node: number): void {
    this.#next[this.#previous[node]!] = node
    this.#previous[this.#next[node]!] = node
  }
}

function isCall(node: number): boolean {
  return (node & 1) === 1
}

function operationOf(node: number): number {
  return (node - 1) >> 1
}
