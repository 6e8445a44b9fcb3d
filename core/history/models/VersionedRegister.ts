/**
 * One value whose version counts its changes: what is written again changes nothing (the desired count of a fleet and its generation, a
 * key of etcd).
 *
 * That a write happened twice, or never although it was answered, shows in the versions, whoever wrote what.
 */
import { type Dialect, Misspelt, requireNumber } from "../Dialect.ts"
import type { Model } from "../Model.ts"
import { hashValue, sameValue, showValue, type Value } from "../Value.ts"

export type Input = { readonly _tag: "Read" } | { readonly _tag: "Write"; readonly value: Value }

/** What is there, after a write that it made; version 0 and null before the first. */
export interface Output {
  readonly version: number
  readonly value: Value
}

interface State extends Output {
  readonly hash: number
}

export const versionedRegister: Model<State, Input, Output> = {
  name: "versioned-register",
  initial: stateOf(0, null),
  step: (state, input, output) => {
    const { value, version } = state
    const isChange = input._tag === "Write" && !(version > 0 && sameValue(value, input.value))
    const after = isChange ? stateOf(version + 1, input.value) : state
    return output === undefined || (output.version === after.version && sameValue(output.value, after.value))
      ? after
      : undefined
  },
  equals: (left, right) =>
    left.version === right.version && left.hash === right.hash && sameValue(left.value, right.value),
  hash: ({ hash }) => hash,
  changesNothing: ({ _tag }) => _tag === "Read",
  describe: (input, output) => {
    const what = input._tag === "Read" ? "read" : `write ${showValue(input.value)}`
    return output === undefined ? `${what}, unanswered` : `${what} → ${shown(output)}`
  },
  describeState: (state) => (state.version === 0 ? "nothing is there" : `${shown(state)} is there`)
}

export const dialect: Dialect<Input, Output> = {
  operations: {
    read: "null; the answer's is [version, value], or null where nothing is there",
    write: "what is written; the answer's is the version after it"
  },
  decode: ({ answer, answered, f, value }) => {
    if (answer === "fail") return "nothing"
    const isUnknown = answer === "unknown"
    if (f === "write") {
      const output = isUnknown ? undefined : { version: requireNumber("the version", answered), value }
      return { input: { _tag: "Write", value }, output }
    }
    return { input: { _tag: "Read" }, output: isUnknown ? undefined : readOf(answered) }
  }
}

function readOf(answered: Value): Output {
  if (answered === null) return { version: 0, value: null }
  if (!Array.isArray(answered) || answered.length !== 2)
    throw new Misspelt(`the answer's value is [version, value] or null, not ${showValue(answered)}`)
  const [version, value] = answered as ReadonlyArray<Value>
  return { version: requireNumber("the version", version!), value: value! }
}

function stateOf(version: number, value: Value): State {
  return { version, value, hash: Math.imul(hashValue(value) ^ version, 0x9e3779b1) }
}

function shown({ value, version }: Output): string {
  return version === 0 ? "nothing" : `version ${version}, ${showValue(value)}`
}
