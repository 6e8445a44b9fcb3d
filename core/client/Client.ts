/**
 * A client of the API that knows several addresses: it asks one, and the next when that one does not answer. Requests that change
 * something carry an idempotency key, which makes asking the next one safe.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import { Api } from "../api/Api.ts"

export type Client = HttpApiClient.ForApi<typeof Api>

/** One client for one address: "http://n1:8081". */
export const make = (address: string): Effect.Effect<Client, never, HttpClient.HttpClient> =>
  HttpApiClient.make(Api, { baseUrl: address })

export interface Failover {
  /** Asks the address that answered last, then each of the others, once; fails as the last one did. */
  readonly ask: <A, E extends { readonly _tag: string }>(
    request: (client: Client) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | NoAnswer>
}

/** Not one of the addresses answered in time. */
export class NoAnswer {
  readonly _tag = "NoAnswer"
}

/** The refusals of a server that works; another one would refuse as well. */
const isFinal = (error: { readonly _tag: string }): boolean => final.has(error._tag)

const final: ReadonlySet<string> = new Set([
  "BadRequest",
  "Unauthenticated",
  "Forbidden",
  "QuotaExceeded",
  "NotFound",
  "Conflict",
  "Compacted",
  "PreconditionFailed",
  "PayloadTooLarge",
  "UnsupportedMediaType",
  "KeyReused"
])

/** `addresses` must not be empty; each is given `timeoutMillis` to answer. */
export const failover = Effect.fnUntraced(function* (options: {
  readonly addresses: ReadonlyArray<string>
  readonly timeoutMillis: number
}) {
  const clients = yield* Effect.forEach(options.addresses, make)
  let current = 0
  const failover: Failover = {
    ask: (request) =>
      Effect.gen(function* () {
        for (let attempt = 1; ; attempt++) {
          const asked = current
          const result = yield* Effect.result(
            Effect.timeoutOption(request(clients[asked]!), `${options.timeoutMillis} millis`)
          )
          if (result._tag === "Success" && result.success._tag === "Some") return result.success.value
          if (result._tag === "Failure" && isFinal(result.failure)) return yield* Effect.fail(result.failure)
          current = (asked + 1) % clients.length
          if (attempt < clients.length) continue
          return yield* Effect.fail(result._tag === "Failure" ? result.failure : new NoAnswer())
        }
      })
  }
  return failover
})
