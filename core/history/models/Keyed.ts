/** Many objects of one kind, told apart by a key: a map out of registers, named locks out of locks. */
import type { Model } from "../Model.ts"
import { hashText, showValue } from "../Value.ts"

export interface KeyedInput<Input> {
  /** "" where there is only one. */
  readonly key: string
  readonly input: Input
}

/** Of those whose state is not the first any more, in order of their keys. */
interface State<Each> {
  readonly keys: ReadonlyArray<string>
  readonly each: ReadonlyArray<Each>
  readonly hash: number
}

const keysShown = 10

export const keyed = <Each, Input, Output>(
  model: Model<Each, Input, Output>
): Model<State<Each>, KeyedInput<Input>, Output> => ({
  name: model.name,
  initial: { keys: [], each: [], hash: 0 },
  partition: ({ key }) => key,
  step: (state, { input, key }, output, times) => {
    const at = state.keys.indexOf(key)
    const before = at === -1 ? model.initial : state.each[at]!
    const after = model.step(before, input, output, times)
    if (after === undefined || after === before) return after === undefined ? undefined : state
    const without = at === -1 ? state.hash : state.hash ^ hashOf(model, key, before)
    // So that what has come back to its first state is equal to what never left it.
    if (model.equals(after, model.initial)) {
      if (at === -1) return state
      return { keys: state.keys.toSpliced(at, 1), each: state.each.toSpliced(at, 1), hash: without }
    }
    const hash = without ^ hashOf(model, key, after)
    if (at !== -1) return { keys: state.keys, each: state.each.with(at, after), hash }
    const above = state.keys.findIndex((other) => other > key)
    const place = above === -1 ? state.keys.length : above
    return { keys: state.keys.toSpliced(place, 0, key), each: state.each.toSpliced(place, 0, after), hash }
  },
  equals: (left, right) => {
    if (left.hash !== right.hash || left.keys.length !== right.keys.length) return false
    for (let at = 0; at < left.keys.length; at++) {
      if (left.keys[at] !== right.keys[at]) return false
      if (left.each[at] !== right.each[at] && !model.equals(left.each[at]!, right.each[at]!)) return false
    }
    return true
  },
  hash: ({ hash }) => hash,
  // Only one of them is new in each state: no more than the largest.
  bytes: ({ each }) =>
    each.reduce((largest, state) => Math.max(largest, model.bytes?.(state) ?? 0), 0) + each.length * 16,
  changesNothing: ({ input }, output) => model.changesNothing?.(input, output) ?? false,
  describe: ({ input, key }, output) =>
    key === "" ? model.describe(input, output) : `${showValue(key)}: ${model.describe(input, output)}`,
  describeState: ({ each, keys }) => {
    if (keys.length === 0) return model.describeState(model.initial)
    const states = keys.slice(0, keysShown).map((key, at) => {
      const state = model.describeState(each[at]!)
      return key === "" ? state : `${showValue(key)}: ${state}`
    })
    return [...states, ...(keys.length > keysShown ? [`and ${keys.length - keysShown} more keys`] : [])].join("; ")
  }
})

function hashOf<Each, Input, Output>(model: Model<Each, Input, Output>, key: string, state: Each): number {
  return Math.imul(hashText(key) ^ model.hash(state), 0x9e3779b1)
}
