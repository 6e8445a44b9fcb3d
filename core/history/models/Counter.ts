/** A number that is added to. */
import { type Dialect, requireNumber } from "../Dialect.ts"
import type { Model } from "../Model.ts"

export type Input = { readonly _tag: "Read" } | { readonly _tag: "Add"; readonly by: number }

/** What was read, or what an addition made of it; null where it does not say. */
export type Output = number | null

export const counter: Model<number, Input, Output> = {
  name: "counter",
  initial: 0,
  step: (state, input, output) => {
    const after = input._tag === "Read" ? state : state + input.by
    return output === undefined || output === null || output === after ? after : undefined
  },
  equals: (left, right) => left === right,
  hash: (state) => Math.imul(state, 0x9e3779b1) | 0,
  changesNothing: (input) => input._tag === "Read",
  describe: (input, output) => {
    const what = input._tag === "Read" ? "read" : `add ${input.by}`
    return output === undefined ? `${what}, unanswered` : output === null ? what : `${what} → ${output}`
  },
  describeState: (state) => `the count is ${state}`
}

export const dialect: Dialect<Input, Output> = {
  operations: {
    read: "null; the answer's is the count",
    add: "how much; the answer's is the same, or null",
    "add-and-get": "how much; the answer's is the count after it"
  },
  decode: ({ answer, answered, f, value }) => {
    if (answer === "fail") return "nothing"
    const input: Input = f === "read" ? { _tag: "Read" } : { _tag: "Add", by: requireNumber("its value", value) }
    if (answer === "unknown") return { input, output: undefined }
    return { input, output: f === "add" ? null : requireNumber("the answer", answered) }
  }
}
