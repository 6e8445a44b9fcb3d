/**
 * From a request that changes something to its answer: takes its idempotency key, runs it at most once, and puts what
 * was stored on the wire as it is.
 */
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { execute, type Reply } from "../idempotency/execute.ts"
import { type Answer, fingerprintOf, problem } from "../idempotency/IdempotencyKey.ts"
import type { StorageError, Transaction } from "../ports/Storage.ts"
import { replayHeader } from "./Api.ts"
import { BadRequest, InProgress, KeyReused, Unavailable } from "./ApiErrors.ts"
import { refusal, sent } from "./problems.ts"

export interface Headers {
  readonly "x-idempotency-key"?: string | undefined
  readonly "idempotency-key"?: string | undefined
  readonly "x-principal"?: string | undefined
}

export interface Mutation {
  readonly headers: Headers
  readonly project: string
  /** Names the endpoint: "fleets/put". */
  readonly route: string
  readonly method: "PUT" | "POST" | "DELETE"
  readonly path: string
  readonly body: unknown
  /** The process that executes. */
  readonly holder: string
}

/** `effect` runs in one transaction with the record of its answer; see `execute`. */
export const idempotently = Effect.fnUntraced(function* (
  mutation: Mutation,
  effect: (transaction: Transaction) => Effect.Effect<Answer, StorageError>
) {
  const key = keyOf(mutation.headers)
  const wrong = key instanceof BadRequest ? key.detail : problem(key)
  if (wrong !== undefined || typeof key !== "string") {
    return refusal(new BadRequest({ detail: wrong ?? "the idempotency key is not text" }))
  }
  const scope = `${mutation.project}/${mutation.headers["x-principal"] ?? "anonymous"}/${mutation.route}`
  const { method, path, body } = mutation
  const reply = yield* execute(
    {
      scope,
      key,
      fingerprint: fingerprintOf({ method, path, scope, body }),
      holder: mutation.holder,
      label: mutation.route
    },
    effect
  )
  return respondTo(reply)
})

/** An answer of the API: the document, encoded, with its status. */
export const answer = <A>(status: number, schema: Schema.Codec<A, unknown>, document: A): Answer => ({
  status,
  body: JSON.stringify(Schema.encodeSync(schema)(document))
})

/** Two spellings of one key; two keys are a mistake of the caller. */
function keyOf(headers: Headers): string | undefined | BadRequest {
  const [extended, plain] = [headers["x-idempotency-key"], headers["idempotency-key"]]
  if (extended !== undefined && plain !== undefined && extended !== plain) {
    return new BadRequest({ detail: "X-Idempotency-Key and Idempotency-Key differ" })
  }
  return extended ?? plain
}

function respondTo(reply: Reply): HttpServerResponse.HttpServerResponse {
  switch (reply._tag) {
    case "Answered":
      return sent(reply.answer, reply.isReplay ? { [replayHeader]: "true" } : {})
    case "Mismatch":
      return refusal(new KeyReused({ detail: "the idempotency key was used for another request" }))
    case "InProgress":
      return refusal(
        new InProgress({
          detail: "the first request with this idempotency key still runs",
          retryAfterSeconds: reply.retryAfterSeconds
        })
      )
    case "Unavailable":
      return refusal(
        new Unavailable({
          detail: "send the request again with the same idempotency key",
          retryAfterSeconds: reply.retryAfterSeconds
        })
      )
  }
}
