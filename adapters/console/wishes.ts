/** What the answer to a request that changes something means to who sent it. Pure. */

export interface Answer {
  readonly status: number
  /** Of the header, in seconds. */
  readonly retryAfter: string | null
  readonly text: string
}

export type Meaning =
  | { readonly _tag: "Done" }
  /** Once more, with the same idempotency key. */
  | { readonly _tag: "Again"; readonly afterMillis: number; readonly why: string }
  | { readonly _tag: "SignIn"; readonly why: string }
  /** `fields` by the last part of their paths: "desired". */
  | {
      readonly _tag: "Refused"
      readonly status: number
      readonly why: string
      readonly fields: Readonly<Record<string, string>>
    }
  /** It was given up, and may or may not have been done. */
  | { readonly _tag: "Unknown"; readonly why: string }

export const attemptsMax = 8
const pauseMillis = 500
const pauseMillisMax = 10_000

/** What the API says of it is a tag, which is for programs. */
const changedMeanwhile = "it was changed meanwhile: look at it, and send this again"

/** `answer` undefined: none came, and it may or may not have been done. `attempts` counts those that were made. */
export const meaningOf = (answer: Answer | undefined, attempts: number): Meaning => {
  const isPassing = answer === undefined || answer.status >= 500 || answer.status === 429 || answer.retryAfter !== null
  if (isPassing) {
    const why = answer === undefined ? "the node does not answer" : messageOf(answer)
    if (attempts >= attemptsMax) return { _tag: "Unknown", why: `${why}; tried ${attempts} times` }
    const pause = Math.max(pauseMillis * 2 ** (attempts - 1), retryAfterMillisOf(answer) ?? 0)
    return { _tag: "Again", afterMillis: Math.min(pauseMillisMax, pause), why }
  }
  if (answer.status < 300) return { _tag: "Done" }
  if (answer.status === 401) return { _tag: "SignIn", why: messageOf(answer) }
  const fields = problemsOf(answer.text).map(({ message, path }) => [path.split(".").at(-1)!, message])
  const why = answer.status === 412 ? changedMeanwhile : messageOf(answer)
  return { _tag: "Refused", status: answer.status, why, fields: Object.fromEntries(fields) }
}

/** Undefined where no number of seconds is asked for. */
export const retryAfterMillisOf = (answer: Pick<Answer, "retryAfter"> | undefined): number | undefined => {
  const seconds = Number(answer?.retryAfter ?? "")
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined
}

/** What a problem document (RFC 9457) says for people: what is wrong field by field, or else its detail. */
export const messageOf = ({ status, text }: Pick<Answer, "status" | "text">): string => {
  const fields = problemsOf(text).map(({ message, path }) => `${path.replace(/^(payload|path)\./, "")}: ${message}`)
  if (fields.length > 0) return fields.join("; ")
  const { detail, title } = documentOf(text)
  return [detail, title].find((each) => typeof each === "string") ?? `the answer was ${status}`
}

function problemsOf(text: string): ReadonlyArray<{ readonly path: string; readonly message: string }> {
  const { errors } = documentOf(text)
  return (Array.isArray(errors) ? (errors as ReadonlyArray<Record<string, unknown> | null>) : []).map((each) => ({
    path: String(each?.["path"]),
    message: String(each?.["message"])
  }))
}

function documentOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // Of a proxy, in a form of its own: its status says what there is to say.
    return {}
  }
}
