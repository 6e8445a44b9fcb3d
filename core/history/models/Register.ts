/** One value that is read, written, compared and set, and appended to. */
import { type Dialect, Misspelt, type Saying } from "../Dialect.ts"
import type { Model } from "../Model.ts"
import { hashText, hashValue, sameValue, showValue, type Value } from "../Value.ts"

export type Input =
  | { readonly _tag: "Read" }
  | { readonly _tag: "Write"; readonly value: Value }
  | { readonly _tag: "CompareAndSet"; readonly from: Value; readonly to: Value }
  /** To a text, or to what is not there. */
  | { readonly _tag: "Append"; readonly text: string }

/** What was read; whether it was set; null of the others. */
export type Output = Value

interface State {
  readonly value: Value
  readonly hash: number
}

/** `initial` is what is read before the first write. */
export const register = (options: { readonly initial: Value }): Model<State, Input, Output> => ({
  name: "register",
  initial: stateOf(options.initial),
  step,
  equals: (left, right) => left.hash === right.hash && sameValue(left.value, right.value),
  hash: ({ hash }) => hash,
  changesNothing: (input, output) => input._tag === "Read" || (input._tag === "CompareAndSet" && output === false),
  describe,
  describeState: ({ value }) => `the value is ${showValue(value)}`
})

const read = { read: "null; the answer's is what was read" }
const write = { write: "what is written" }
const cas = { cas: "[from, to]; the answer is ok where it was set, and fail where something else was there" }

/** `read`, `write`. */
export const dialect: Dialect<Input, Output> = { operations: { ...read, ...write }, decode }

/** `read`, `write`, `cas`. */
export const casDialect: Dialect<Input, Output> = { operations: { ...read, ...write, ...cas }, decode }

const cell = { get: read.read, put: write.write, append: "the text that is appended" }

/** `get`, `put`, `append`: a cell of a map of texts, as Porcupine writes it. */
export const textCellDialect: Dialect<Input, Output> = { operations: cell, decode: decodeCell }

/** `get`, `put`, `append`, `delete`, `cas`: a cell of a map, null where it is not there. */
export const cellDialect: Dialect<Input, Output> = {
  operations: { ...cell, delete: "null", ...cas },
  decode: decodeCell
}

function decodeCell(saying: Saying) {
  if (saying.f === "delete") return decode({ ...saying, f: "write", value: null })
  return decode({ ...saying, f: saying.f === "get" ? "read" : saying.f === "put" ? "write" : saying.f })
}

function stateOf(value: Value): State {
  return { value, hash: hashValue(value) }
}

function step(state: State, input: Input, output: Output | undefined): State | undefined {
  switch (input._tag) {
    case "Read":
      return output === undefined || sameValue(state.value, output) ? state : undefined
    case "Write":
      return stateOf(input.value)
    case "CompareAndSet": {
      const matches = sameValue(state.value, input.from)
      if (output !== undefined && output !== matches) return undefined
      return matches ? stateOf(input.to) : state
    }
    case "Append": {
      if (state.value === null) return stateOf(input.text)
      // Nothing can be appended to what is no text; whether it was refused is not known.
      if (typeof state.value !== "string") return output === undefined ? state : undefined
      return { value: state.value + input.text, hash: hashText(input.text, state.hash) }
    }
  }
}

function decode({ answer, answered, f, hasError, value }: Saying) {
  const done = answer === "ok" ? null : undefined
  if (f === "cas") {
    if (!Array.isArray(value) || value.length !== 2)
      throw new Misspelt(`its value is [from, to], not ${showValue(value)}`)
    const [from, to] = value as ReadonlyArray<Value>
    const input: Input = { _tag: "CompareAndSet", from: from!, to: to! }
    if (answer === "fail" && hasError) return "nothing"
    return { input, output: answer === "unknown" ? undefined : answer === "ok" }
  }
  if (answer === "fail") return "nothing"
  if (f === "read") return { input: { _tag: "Read" } as const, output: answer === "ok" ? answered : undefined }
  if (f === "write") return { input: { _tag: "Write", value } as const, output: done }
  if (typeof value !== "string") throw new Misspelt(`its value is the text that is appended, not ${showValue(value)}`)
  return { input: { _tag: "Append", text: value } as const, output: done }
}

function describe(input: Input, output: Output | undefined): string {
  const unanswered = output === undefined ? ", unanswered" : ""
  switch (input._tag) {
    case "Read":
      return output === undefined ? "read, unanswered" : `read → ${showValue(output)}`
    case "Write":
      return `write ${showValue(input.value)}${unanswered}`
    case "CompareAndSet": {
      const answer = output === undefined ? unanswered : output === true ? " → set" : " → was something else"
      return `compare ${showValue(input.from)} and set ${showValue(input.to)}${answer}`
    }
    case "Append":
      return `append ${showValue(input.text)}${unanswered}`
  }
}
