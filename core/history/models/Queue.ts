/** First in, first out. */
import type { Dialect } from "../Dialect.ts"
import type { Model } from "../Model.ts"
import { hashValue, sameValue, showValue, type Value } from "../Value.ts"

export type Input = { readonly _tag: "Enqueue"; readonly value: Value } | { readonly _tag: "Dequeue" }

/** What was taken: nothing where the queue was empty, and of those that put something in. */
export type Output = { readonly taken: Value } | "nothing"

interface State {
  readonly values: ReadonlyArray<Value>
  readonly hash: number
}

export const queue: Model<State, Input, Output> = {
  name: "queue",
  initial: stateOf([]),
  step: (state, input, output) => {
    if (input._tag === "Enqueue") return stateOf([...state.values, input.value])
    if (state.values.length === 0) return output === undefined || output === "nothing" ? state : undefined
    if (output === "nothing" || (output !== undefined && !sameValue(output.taken, state.values[0]!))) return undefined
    return stateOf(state.values.slice(1))
  },
  equals: (left, right) => left.hash === right.hash && sameValue(left.values, right.values),
  hash: ({ hash }) => hash,
  bytes: ({ values }) => values.length * 8,
  changesNothing: (input, output) => input._tag === "Dequeue" && output === "nothing",
  describe: (input, output) => {
    if (input._tag === "Enqueue")
      return `enqueue ${showValue(input.value)}${output === undefined ? ", unanswered" : ""}`
    if (output === undefined) return "dequeue, unanswered"
    return `dequeue → ${output === "nothing" ? "empty" : showValue(output.taken)}`
  },
  describeState: ({ values }) => (values.length === 0 ? "the queue is empty" : `the queue holds ${showValue(values)}`)
}

export const dialect: Dialect<Input, Output> = {
  operations: {
    enqueue: "what is put in",
    dequeue: "null; the answer's is what was taken, and fail where there was nothing"
  },
  decode: ({ answer, answered, f, hasError, value }) => {
    if (f === "enqueue") {
      if (answer === "fail") return "nothing"
      return { input: { _tag: "Enqueue", value }, output: answer === "ok" ? "nothing" : undefined }
    }
    if (answer === "fail" && hasError) return "nothing"
    const input: Input = { _tag: "Dequeue" }
    if (answer === "unknown") return { input, output: undefined }
    return { input, output: answer === "fail" ? "nothing" : { taken: answered } }
  }
}

function stateOf(values: ReadonlyArray<Value>): State {
  return { values, hash: hashValue(values) }
}
