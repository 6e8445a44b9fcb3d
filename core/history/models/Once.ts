/**
 * What is done once, however often it is asked for: the request under one idempotency key (IETF draft-ietf-httpapi-idempotency-key,
 * section 2). Whoever comes first takes it; it has one answer from then on, and another request is refused.
 *
 * Each attempt is an operation. One that was not answered may have taken the key, at any time since. Absent on purpose: that keys are
 * forgotten.
 */
import type { Dialect } from "../Dialect.ts"
import type { Model } from "../Model.ts"
import { hashValue, sameValue, showValue, type Value } from "../Value.ts"

export interface Input {
  /** What is asked for. */
  readonly request: Value
}

export type Output = { readonly answer: Value } | "refused"

/** `answer` is undefined until it shows: nobody was told by whom the key was taken. */
type State = "free" | { readonly request: Value; readonly answer: Value | undefined }

export const once: Model<State, Input, Output> = {
  name: "once",
  initial: "free",
  step: (state, { request }, output) => {
    if (state === "free") {
      if (output === "refused") return undefined
      return { request, answer: output?.answer }
    }
    const isSame = sameValue(state.request, request)
    if (output === undefined) return state
    if (output === "refused") return isSame ? undefined : state
    if (!isSame) return undefined
    if (state.answer === undefined) return { request, answer: output.answer }
    return sameValue(state.answer, output.answer) ? state : undefined
  },
  equals: (left, right) => {
    if (left === "free" || right === "free") return left === right
    if (left.answer === undefined || right.answer === undefined) {
      return left.answer === right.answer && sameValue(left.request, right.request)
    }
    return sameValue(left.request, right.request) && sameValue(left.answer, right.answer)
  },
  hash: (state) =>
    state === "free"
      ? 0
      : Math.imul(hashValue(state.request), 31) ^ (state.answer === undefined ? 1 : hashValue(state.answer)),
  changesNothing: (_input, output) => output === "refused",
  describe: ({ request }, output) => {
    if (output === undefined) return `${showValue(request)}, unanswered`
    return `${showValue(request)} → ${output === "refused" ? "refused, as it is another's" : showValue(output.answer)}`
  },
  describeState: (state) => {
    if (state === "free") return "the key is free"
    const answer =
      state.answer === undefined ? "with an answer that nobody was told" : `with ${showValue(state.answer)}`
    return `the key is that of ${showValue(state.request)}, ${answer}`
  }
}

export const dialect: Dialect<Input, Output> = {
  operations: {
    ask: "what is asked for; the answer's is what came of it, and fail where the key is another request's"
  },
  decode: ({ answer, answered, hasError, value }) => {
    if (answer === "fail" && hasError) return "nothing"
    const output = answer === "unknown" ? undefined : answer === "fail" ? "refused" : { answer: answered }
    return { input: { request: value }, output }
  }
}
