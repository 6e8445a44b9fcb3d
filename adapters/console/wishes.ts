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
  | { readonly _tag: "Again"; readonly afterMillis: number }
  | { readonly _tag: "SignIn"; readonly why: string }
  | { readonly _tag: "Refused"; readonly why: string }

export const attemptsMax = 8
const pauseMillis = 500
const pauseMillisMax = 10_000

/** `answer` undefined: none came, and it may or may not have been done. `attempts` counts those that were made. */
export const meaningOf = (answer: Answer | undefined, attempts: number): Meaning => {
  const isPassing = answer === undefined || answer.status >= 500 || answer.status === 429 || answer.retryAfter !== null
  if (isPassing) {
    const why = answer === undefined ? "the node does not answer" : messageOf(answer)
    if (attempts >= attemptsMax) return { _tag: "Refused", why: `${why}; tried ${attempts} times` }
    const asked = Number(answer?.retryAfter ?? "0") * 1_000
    return { _tag: "Again", afterMillis: Math.min(pauseMillisMax, Math.max(pauseMillis, asked || 0)) }
  }
  if (answer.status < 300) return { _tag: "Done" }
  if (answer.status === 401) return { _tag: "SignIn", why: messageOf(answer) }
  return { _tag: "Refused", why: messageOf(answer) }
}

/** What a problem document (RFC 9457) says for people, all that is wrong field by field included. */
export const messageOf = ({ status, text }: Pick<Answer, "status" | "text">): string => {
  const { detail, errors, title } = documentOf(text)
  const said = [detail, title].find((each) => typeof each === "string") ?? `the answer was ${status}`
  const fields = (Array.isArray(errors) ? (errors as ReadonlyArray<Record<string, unknown> | null>) : []).map(
    (each) => `${String(each?.["path"])}: ${String(each?.["message"])}`
  )
  return [said, ...fields].join("; ")
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
