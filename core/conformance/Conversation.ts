/**
 * What a law asks of a control plane at an address, request by request, and what it is told, byte for byte. Nothing of the typed client is in
 * between: it would hide what it does not know.
 */
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { canonicalJson } from "../json/canonicalJson.ts"

export interface Target {
  /** "http://n1:8081", …: nodes of one control plane; at least one. */
  readonly addresses: ReadonlyArray<string>
  readonly project: string
  /** Begins the name of all that is made, and every idempotency key: no other run has the same. At most 20 characters of a name. */
  readonly prefix: string
  /** What instances run. */
  readonly image: string
  /** How long instances may take to be started and stopped, and a fleet to be counted. */
  readonly patienceMillis: number
}

/** What does not hold, in one line. */
export class Broken {
  readonly _tag = "Broken"
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

export interface Told {
  readonly status: number
  readonly text: string
  readonly document: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string | undefined>>
}

interface Sending {
  readonly body?: object
  /** In place of `body`, as it is. */
  readonly text?: string
  /** Without either spelling of an idempotency key the request gets a new one, unless `isKeyless`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly isKeyless?: boolean
  /** Which of the addresses is asked, modulo their number. Default: the first. */
  readonly at?: number
}

type Method = "GET" | "PUT" | "POST" | "DELETE"
export type Asked<A> = Effect.Effect<A, Broken, HttpClient.HttpClient>

export interface Conversation extends Target {
  /** `path` without "/v1/". Who is told to come again later does. */
  readonly send: (method: Method, path: string, sending?: Sending) => Asked<Told>
  /** The same, which must be answered with that status. */
  readonly told: (status: number, method: Method, path: string, sending?: Sending) => Asked<Told>
  /** Asks again and again until it is as it should be; broken when patience ends. */
  readonly until: (what: string, path: string, isSo: (told: Told) => boolean) => Asked<Told>
}

const againMillis = 250
const comeAgainTimesMax = 20

/** `name` is that of the law. */
export const make = (target: Target, name: string): Conversation => {
  const { addresses, patienceMillis, prefix } = target
  let keys = 0
  const send: Conversation["send"] = Effect.fnUntraced(function* (method, path, sending = {}) {
    const client = yield* HttpClient.HttpClient
    const { at = 0, body, headers = {}, isKeyless = false, text } = sending
    const hasKey = "idempotency-key" in headers || "x-idempotency-key" in headers
    const key = method === "GET" || hasKey || isKeyless ? {} : { "idempotency-key": `${prefix}-${name}-${++keys}` }
    const content = text ?? (body === undefined ? undefined : JSON.stringify(body))
    const request = HttpClientRequest.make(method)(`${addresses[at % addresses.length]}/v1/${path}`, {
      headers: { ...key, ...headers },
      ...(content === undefined ? {} : { body: HttpBody.text(content, "application/json") })
    })
    const ask = Effect.gen(function* () {
      const response = yield* client.execute(request)
      return { response, text: yield* response.text }
    }).pipe(Effect.mapError(({ message }) => new Broken(`${method} /v1/${path}: ${message}`)))
    for (let times = 1; ; times++) {
      const { response, text } = yield* ask
      const { headers, status } = response
      if ((status === 429 || status === 503) && times < comeAgainTimesMax) {
        yield* Effect.sleep(1_000 * (Number(headers["retry-after"]) || 1))
        continue
      }
      return { status, text, document: documentOf(text), headers }
    }
  })
  const told: Conversation["told"] = (status, method, path, sending) =>
    Effect.tap(send(method, path, sending), (answer) =>
      answer.status === status
        ? Effect.void
        : Effect.fail(
            new Broken(`${method} /v1/${path}: ${status} was to be expected, not ${answer.status} ${answer.text}`)
          )
    )
  const until: Conversation["until"] = Effect.fnUntraced(function* (what, path, isSo) {
    for (let waitedMillis = 0; ; waitedMillis += againMillis) {
      const answer = yield* send("GET", path)
      if (isSo(answer)) return answer
      if (waitedMillis >= patienceMillis) {
        return yield* Effect.fail(
          new Broken(`GET /v1/${path}: ${what} within ${patienceMillis / 1_000} s; at last ${answer.text}`)
        )
      }
      yield* Effect.sleep(againMillis)
    }
  })
  return { ...target, send, told, until }
}

/** Broken unless they are equal documents. */
export const equal = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, Broken> =>
  canonicalJson(actual) === canonicalJson(expected)
    ? Effect.void
    : Effect.fail(new Broken(`${what}: ${canonicalJson(expected)} was to be expected, not ${canonicalJson(actual)}`))

function documentOf(text: string): Told["document"] {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Told["document"]) : {}
  } catch {
    // A watch, or nothing at all: the text is told as well.
    return {}
  }
}
