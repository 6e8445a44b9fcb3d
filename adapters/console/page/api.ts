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

/** Says something where the wish was made. */
export type Say = (text: string) => void

export interface Wish {
  readonly method: "PUT" | "POST" | "DELETE"
  readonly path: string
  /** Everything is checked and decided, and nothing is kept. */
  readonly isDryRun?: boolean
  /** Undefined: none. */
  readonly body?: unknown
  /** Only what the reader has seen is changed, and what is new is made. */
  readonly condition: Readonly<Record<string, string>>
}

/** By path: the last wish there whose outcome is not known, and its key. */
const open = new Map<string, { readonly wish: string; readonly key: string }>()

/**
 * Sends the wish, with one idempotency key however often, until its outcome is known or it is given up; whoever then wishes the same again sends the
 * same key. Says meanwhile why it is sent again.
 */
export const ask = async (wish: Wish, say: Say): Promise<Outcome> => {
  const { body, condition, isDryRun = false, method, path } = wish
  const type = body === undefined ? {} : { "content-type": "application/json" }
  const said = JSON.stringify(wish)
  const before = open.get(path)
  const key = before?.wish === said ? before.key : newKey()
  open.set(path, { wish: said, key })
  const headers = { ...condition, ...type, ...(isDryRun ? {} : { "idempotency-key": key }) }
  for (let attempts = 1; ; attempts++) {
    const answer = await send(method, isDryRun ? `${path}?dryRun=true` : path, headers, JSON.stringify(body))
    const meaning = meaningOf(answer, attempts)
    if (meaning._tag !== "Again") {
      if (meaning._tag !== "Unknown" && open.get(path)?.key === key) open.delete(path)
      return meaning
    }
    say(`${meaning.why}; sent again in ${Math.ceil(meaning.afterMillis / 1_000)} s`)
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
