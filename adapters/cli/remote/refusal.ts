/** How a command ends that a control plane did not serve: what is said, and with which exit code. */
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Schema from "effect/Schema"
import { problemsText } from "../../../core/json/fieldProblems.ts"
import type { Ending } from "../exitCodes.ts"
import { CommandError } from "../Usage.ts"

/** What a request of the client fails with. */
export interface Failure {
  readonly _tag: string
  readonly message?: string
  /** Of a refusal. */
  readonly status?: number
  /** Of one that is of fields. */
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }> | undefined
}

/** Somebody else still does it, or nobody can just now, as while a node starts; no answer at all is for people to hear of. */
export const isPassing = (failure: Failure): boolean =>
  failure._tag === "InProgress" ||
  failure._tag === "Unavailable" ||
  (HttpClientError.isHttpClientError(failure) && failure.response?.status === 503)

/** The same of an answer that the client does not read as one: what it says of itself, or how it begins. */
export const read = (failure: Failure): Effect.Effect<Failure> => {
  const response = HttpClientError.isHttpClientError(failure) ? failure.response : undefined
  if (response === undefined) return Effect.succeed(failure)
  return response.text.pipe(
    Effect.map((text) => answered(response.status, text)),
    Effect.orElseSucceed(() => answered(response.status, ""))
  )
}

const Problem = Schema.fromJsonString(
  Schema.Struct({
    _tag: Schema.String,
    detail: Schema.String,
    errors: Schema.optionalKey(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String })))
  })
)
const decodeProblem = Schema.decodeUnknownOption(Problem)

/** Pure. */
export const answered = (status: number, text: string): Failure => {
  const problem = decodeProblem(text)
  if (problem._tag === "None") {
    const message =
      status === 503
        ? "it does not serve yet, or a proxy before it has nobody to ask"
        : `status ${status}, and not as a control plane answers`
    return { _tag: "Unreadable", status, message }
  }
  const { _tag, detail, errors } = problem.value
  return { _tag, status, message: detail, errors }
}

export interface Asked {
  readonly addresses: ReadonlyArray<string>
  /** What people look at when the key is refused: "data/key". */
  readonly keyOrigin?: string | undefined
}

/** Pure. */
export const refusalOf = ({ addresses, keyOrigin }: Asked, failure: Failure): CommandError => {
  const { _tag, errors = [], message, status } = failure
  if (_tag === "NoAnswer" || _tag === "HttpClientError") {
    const where = "is `stormglass serve` running there? (--server, STORMGLASS_SERVER)"
    return new CommandError(`${addresses.join(", ")}: no answer; ${where}`, "unanswered")
  }
  if (_tag === "SchemaError") {
    const what = problemsText(failure)
    return new CommandError(`what was said is not what this version of stormglass knows: ${what}`, "refused")
  }
  const said = message ?? _tag
  const ending = endingOf(_tag, status)
  if (_tag === "Unauthenticated") {
    const sent = keyOrigin === undefined ? "none was sent: STORMGLASS_KEY, or `stormglass login`" : `from ${keyOrigin}`
    return new CommandError(`${said} (${sent})`, ending)
  }
  if (_tag === "Misdirected" || _tag === "Unreadable")
    return new CommandError(`${addresses.join(", ")}: ${said}`, ending)
  return new CommandError(errors.length === 0 ? said : errors.map((each) => `${each.path}: ${each.message}`), ending)
}

function endingOf(tag: string, status = 0): Ending {
  if (status === 404) return "missing"
  // Somebody else still does it, no node of these serves it, a share is used up, or a node failed: later, or elsewhere.
  return tag === "InProgress" || status === 421 || status === 429 || status >= 500 ? "unanswered" : "refused"
}
