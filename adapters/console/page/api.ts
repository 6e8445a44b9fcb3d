/** Requests to the node that serves the page, as the reader. */
import { type Meaning, type Answer, meaningOf, messageOf } from "../wishes.ts"
import { readKey } from "./preferences.ts"

const answerMillisMax = 10_000

export const authorization = (): Readonly<Record<string, string>> => {
  const key = readKey()
  return key === undefined ? {} : { authorization: `Bearer ${key}` }
}

export interface Asked {
  readonly status: number
  /** Undefined where the answer is no success. */
  readonly document: unknown
  readonly why: string
}

/** Undefined when no answer came. */
export const get = async (path: string): Promise<Asked | undefined> => {
  const answer = await send("GET", path, {}, undefined)
  if (answer === undefined) return undefined
  const { status } = answer
  if (status !== 200) return { status, document: undefined, why: messageOf(answer) }
  return { status, document: JSON.parse(answer.text), why: "" }
}

/** What came of a wish. */
export type Outcome = Exclude<Meaning, { _tag: "Again" }>

export interface Wish {
  readonly method: "PUT" | "DELETE"
  readonly path: string
  /** Undefined: none. */
  readonly body?: unknown
  /** Only what the reader has seen is changed, and what is new is made. */
  readonly condition: Readonly<Record<string, string>>
}

/** Sends the wish, with one idempotency key however often, until its outcome is known or it is given up. */
export const ask = async ({ body, condition, method, path }: Wish): Promise<Outcome> => {
  const type = body === undefined ? {} : { "content-type": "application/json" }
  const headers = { ...condition, ...type, "idempotency-key": newKey() }
  for (let attempts = 1; ; attempts++) {
    const meaning = meaningOf(await send(method, path, headers, JSON.stringify(body)), attempts)
    if (meaning._tag !== "Again") return meaning
    await new Promise((resolve) => setTimeout(resolve, meaning.afterMillis))
  }
}

async function send(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined
): Promise<Answer | undefined> {
  try {
    const response = await fetch(path, {
      method,
      headers: { ...headers, ...authorization() },
      body: body ?? null,
      cache: "no-store",
      signal: AbortSignal.timeout(answerMillisMax)
    })
    return { status: response.status, retryAfter: response.headers.get("retry-after"), text: await response.text() }
  } catch {
    // Nobody there, or cut in the middle: what that means is the caller's to say.
    return undefined
  }
}

/** Not `randomUUID`, which browsers have on secure origins only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
}
