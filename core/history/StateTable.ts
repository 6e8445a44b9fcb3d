/**
 * States as small integers, equal ones as one, and what operations make of them. The latest answers of the model are kept, as a
 * search asks again and again what it has just asked.
 */
import type { MemoryBudget } from "./MemoryBudget.ts"
import type { Model, Operation } from "./Model.ts"

/** The operation cannot have happened in that state. */
export const impossible = -1
/** The memory is used up. */
export const exhausted = -2

/** A guess, besides what the model says: of most models states share most of what they hold. */
const stateBytes = 256
const slotInts = 3
/** What fits into a processor's cache: asking the model again is cheaper than memory. */
const slotsMax = 1 << 14

export class StateTable<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #operations: ReadonlyArray<Operation<Input, Output>>
  readonly #memory: MemoryBudget
  readonly #states: Array<State> = []
  readonly #hashes: Array<number> = []
  /** State + 1 by hash, in open addressing; 0 is an empty slot. */
  #byHash = new Int32Array(256)
  /** (state + 1, operation, next): the latest that fell into each slot. */
  #transitions: Int32Array
  readonly #mask: number
  #bytes: number

  constructor(
    model: Model<State, Input, Output>,
    operations: ReadonlyArray<Operation<Input, Output>>,
    memory: MemoryBudget
  ) {
    this.#model = model
    this.#operations = operations
    this.#memory = memory
    const slots = Math.min(slotsMax, 2 ** Math.ceil(Math.log2(operations.length * 16 + 1)))
    this.#mask = slots - 1
    this.#transitions = new Int32Array(slots * slotInts)
    this.#bytes = memory.take(this.#transitions.byteLength) ? this.#transitions.byteLength : 0
    this.#add(model.initial, model.hash(model.initial))
  }

  stateOf(id: number): State {
    return this.#states[id]!
  }

  /** The id of the state after the operation, `impossible` or `exhausted`. */
  step(state: number, operation: number): number {
    const at = (hashOf(state, operation) & this.#mask) * slotInts
    if (this.#transitions[at] === state + 1 && this.#transitions[at + 1] === operation)
      return this.#transitions[at + 2]!
    const { input, output, times } = this.#operations[operation]!
    const after = this.#model.step(this.#states[state]!, input, output, times)
    const next = after === undefined ? impossible : this.#intern(after)
    if (next === exhausted) return exhausted
    this.#transitions[at] = state + 1
    this.#transitions[at + 1] = operation
    this.#transitions[at + 2] = next
    return next
  }

  release(): void {
    this.#memory.giveBack(this.#bytes)
    this.#bytes = 0
    this.#transitions = new Int32Array(0)
    this.#states.length = 0
    this.#hashes.length = 0
    this.#byHash = new Int32Array(0)
  }

  #intern(state: State): number {
    const hash = this.#model.hash(state) | 0
    const mask = this.#byHash.length - 1
    for (let slot = slotOf(hash) & mask; this.#byHash[slot] !== 0; slot = (slot + 1) & mask) {
      const id = this.#byHash[slot]! - 1
      if (this.#hashes[id] === hash && this.#model.equals(this.#states[id]!, state)) return id
    }
    const bytes = stateBytes + (this.#model.bytes?.(state) ?? 0)
    if (!this.#memory.take(bytes)) return exhausted
    this.#bytes += bytes
    return this.#add(state, hash)
  }

  #add(state: State, hash: number): number {
    const id = this.#states.push(state) - 1
    this.#hashes.push(hash | 0)
    if (this.#states.length * 2 > this.#byHash.length) {
      this.#byHash = new Int32Array(this.#byHash.length * 2)
      for (let other = 0; other < id; other++) this.#list(other)
    }
    this.#list(id)
    return id
  }

  #list(id: number): void {
    const mask = this.#byHash.length - 1
    let slot = slotOf(this.#hashes[id]!) & mask
    while (this.#byHash[slot] !== 0) slot = (slot + 1) & mask
    this.#byHash[slot] = id + 1
  }
}

function slotOf(hash: number): number {
  return hash ^ (hash >>> 15)
}

function hashOf(state: number, operation: number): number {
  const hash = Math.imul(state, 0x9e3779b1) ^ Math.imul(operation + 1, 0x85ebca6b)
  return hash ^ (hash >>> 15)
}
