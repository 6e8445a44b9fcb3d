/** Elements that are added, removed, looked for, and read all at once. */
import { type Dialect, Misspelt } from "../Dialect.ts"
import type { Model } from "../Model.ts"
import { canonicalJson } from "../../json/canonicalJson.ts"
import { hashText, showValue, type Value } from "../Value.ts"

export type Input = { readonly _tag: "Add" | "Remove" | "Has"; readonly element: Value } | { readonly _tag: "Read" }

/** Whether it was there before; all elements of a read, in any order; null where it does not say. */
export type Output = boolean | ReadonlyArray<Value> | null

interface State {
  /** By their texts. */
  readonly elements: ReadonlySet<string>
  readonly hash: number
}

export const elementSet: Model<State, Input, Output> = {
  name: "set",
  initial: { elements: new Set(), hash: 0 },
  step: (state, input, output) => {
    if (input._tag === "Read") return output === undefined || isAll(state, output) ? state : undefined
    const element = canonicalJson(input.element)
    const was = state.elements.has(element)
    if (typeof output === "boolean" && output !== was) return undefined
    if (input._tag === "Has" || was === (input._tag === "Add")) return state
    const elements = new Set(state.elements)
    if (input._tag === "Add") elements.add(element)
    else elements.delete(element)
    return { elements, hash: state.hash ^ hashText(element) }
  },
  equals: (left, right) =>
    left.hash === right.hash &&
    left.elements.size === right.elements.size &&
    Array.from(left.elements).every((element) => right.elements.has(element)),
  hash: ({ hash }) => hash,
  // A hash table that is half full: a text, the next of its chain and a bucket for each.
  bytes: ({ elements }) => elements.size * 40,
  changesNothing: ({ _tag }, output) =>
    _tag === "Read" || _tag === "Has" || (_tag === "Add" && output === true) || (_tag === "Remove" && output === false),
  describe: (input, output) => {
    const what = input._tag === "Read" ? "read" : `${input._tag.toLowerCase()} ${showValue(input.element)}`
    if (output === undefined) return `${what}, unanswered`
    if (typeof output === "boolean") return `${what} → it was ${output ? "there" : "not there"}`
    return output === null ? what : `${what} → ${showValue(output)}`
  },
  describeState: ({ elements }) =>
    elements.size === 0 ? "the set is empty" : `the set holds ${Array.from(elements).toSorted().join(", ")}`
}

export const dialect: Dialect<Input, Output> = {
  operations: {
    read: "null; the answer's are all elements",
    add: "the element; the answer is fail where it was there",
    remove: "the element; the answer is fail where it was not there",
    has: "the element; the answer's is true or false"
  },
  decode: ({ answer, answered, f, hasError, value }) => {
    if (answer === "fail" && (hasError || f === "read" || f === "has")) return "nothing"
    const unknown = answer === "unknown"
    if (f === "read") {
      if (!unknown && !Array.isArray(answered))
        throw new Misspelt(`the answer is [element …], not ${showValue(answered)}`)
      return { input: { _tag: "Read" }, output: unknown ? undefined : (answered as ReadonlyArray<Value>) }
    }
    if (f === "has") {
      if (!unknown && typeof answered !== "boolean")
        throw new Misspelt(`the answer is true or false, not ${showValue(answered)}`)
      return { input: { _tag: "Has", element: value }, output: unknown ? undefined : (answered as boolean) }
    }
    // A fail says that it was as it should be already; an ok does not say what was before.
    const refused = f === "add"
    return {
      input: { _tag: f === "add" ? "Add" : "Remove", element: value },
      output: unknown ? undefined : answer === "fail" ? refused : null
    }
  }
}

function isAll({ elements }: State, output: Output): boolean {
  if (!Array.isArray(output)) return false
  const read = new Set((output as ReadonlyArray<Value>).map(canonicalJson))
  return (
    read.size === elements.size && read.size === output.length && Array.from(read).every((one) => elements.has(one))
  )
}
