/**
 * From a request that changes something to its answer: takes its idempotency key, runs it at most once, and puts what
 * was stored on the wire as it is.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Audit from "../audit/Audit.ts"
import { Asking, type Principal } from "../identity/Access.ts"
import { execute, type Reply } from "../idempotency/execute.ts"
import { type Answer, fingerprintOf, problem } from "../idempotency/IdempotencyKey.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import { BadRequest, InProgress, KeyReused, PreconditionFailed, Unavailable } from "./ApiErrors.ts"
import { holds, isKnown, parse } from "./etag.ts"
import { refusal, sent, unavailable } from "./problems.ts"

/** Says that an answer is a replay of a stored one. */
const replayHeader = "idempotency-replayed"
/** Says that nothing was kept of what an answer tells. */
const dryRunHeader = "stormglass-dry-run"

export interface Headers {
  readonly "x-idempotency-key"?: string | undefined
  readonly "idempotency-key"?: string | undefined
  readonly "if-match"?: string | undefined
  readonly "if-none-match"?: string | undefined
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
  readonly isDryRun?: boolean
  /** The tag of the document that is answered. */
  readonly etag?: (body: string) => string
}

/** `effect` runs in one transaction with the record of its answer; see `execute`. */
export const idempotently = Effect.fnUntraced(function* (
  mutation: Mutation,
  effect: (transaction: Transaction, asked: Asked) => Effect.Effect<Answer, StorageError>
) {
  if (mutation.isDryRun === true) return yield* tried(mutation, effect)
  const key = keyOf(mutation.headers)
  const wrong = key instanceof BadRequest ? key.detail : problem(key)
  if (wrong !== undefined || typeof key !== "string") {
    return refusal(new BadRequest({ detail: wrong ?? "the idempotency key is not text" }))
  }
  const principal = yield* Asking
  const scope = `${mutation.project}/${principal.name}/${mutation.route}`
  const { method, path, route } = mutation
  const conditions = conditionsOf(mutation.headers)
  if (conditions instanceof BadRequest) return refusal(conditions)
  // Without conditions as it has always been: keys outlive versions of this program.
  const body = conditions.isNone
    ? mutation.body
    : [mutation.body, mutation.headers["if-match"] ?? "", mutation.headers["if-none-match"] ?? ""]
  const reply = yield* execute(
    {
      scope,
      key,
      fingerprint: fingerprintOf({ method, path, scope, body }),
      holder: mutation.holder,
      label: route
    },
    (tx) =>
      Effect.tap(effect(tx, { conditions, principal }), ({ project = mutation.project, revision = null, status }) => {
        const { keyId, name } = principal
        return Audit.record(tx, {
          principal: name,
          keyId,
          action: route,
          project,
          path,
          requestId: key,
          status,
          revision
        })
      })
  )
  return respondTo(reply, mutation.etag)
})

/** Says what the answer would be, by a transaction that is rolled back. */
const tried = Effect.fnUntraced(function* (
  mutation: Mutation,
  effect: (transaction: Transaction, asked: Asked) => Effect.Effect<Answer, StorageError>
) {
  const { transaction } = yield* Storage
  const conditions = conditionsOf(mutation.headers)
  if (conditions instanceof BadRequest) return refusal(conditions)
  const principal = yield* Asking
  const rolledBack = transaction(
    (tx) => Effect.flatMap(effect(tx, { principal, conditions }), (answer) => Effect.fail(new Tried({ answer }))),
    { label: `${mutation.route}/dry-run` }
  )
  return yield* retryTransient(rolledBack).pipe(
    Effect.catchTag("Tried", ({ answer }) => Effect.succeed(sent(answer, { [dryRunHeader]: "true" }))),
    Effect.catchTag("StorageError", (error) => Effect.succeed(refusal(unavailable(error))))
  )
})

/** Rolls back what was tried; never leaves this file. */
class Tried extends Data.TaggedError("Tried")<{ readonly answer: Answer }> {}

/** An answer of the API: the document, encoded, with its status; `revision` of what it shows is for the audit. */
export const answer = <A>(
  status: number,
  schema: Schema.Codec<A, unknown>,
  document: A,
  revision: number | null = null
): Answer & { readonly revision: number | null } => ({
  status,
  body: JSON.stringify(Schema.encodeSync(schema)(document)),
  revision
})

/** Who asks, and on what condition. */
export interface Asked {
  readonly principal: Principal
  readonly conditions: Conditions
}

/** On what condition something is changed. */
export interface Conditions {
  readonly isNone: boolean
  /** Why not, of what is there: its tag, or that there is nothing. */
  readonly unmet: (tag: string | undefined) => PreconditionFailed | undefined
}

function conditionsOf(headers: Headers): Conditions | BadRequest {
  const [match, noneMatch] = [headers["if-match"], headers["if-none-match"]]
  const matching = match === undefined ? "*" : parse(match)
  if (matching === undefined) return new BadRequest({ detail: 'headers.if-match: tags in quotes, "a.b", or *' })
  if (noneMatch !== undefined && noneMatch.trim() !== "*") {
    return new BadRequest({ detail: "headers.if-none-match: only * is taken where something is changed" })
  }
  return {
    isNone: match === undefined && noneMatch === undefined,
    unmet: (tag) => {
      if (match !== undefined && !holds(matching, tag)) {
        return new PreconditionFailed({ detail: tag === undefined ? "there is nothing" : `it is at ${tag} by now` })
      }
      return noneMatch === undefined || tag === undefined
        ? undefined
        : new PreconditionFailed({ detail: `it is there, at ${tag}` })
    }
  }
}

/** A document as it is read; 304 for whoever has it. */
export const shown = <A>(
  schema: Schema.Codec<A, unknown>,
  document: A,
  { asked, etag }: { readonly asked: string | undefined; readonly etag: string }
): HttpServerResponse.HttpServerResponse => {
  const known = asked === undefined ? undefined : parse(asked)
  if (known !== undefined && isKnown(known, etag)) return HttpServerResponse.empty({ status: 304, headers: { etag } })
  return sent(answer(200, schema, document), { etag })
}

/** Two spellings of one key; two keys are a mistake of the caller. */
function keyOf(headers: Headers): string | undefined | BadRequest {
  const [extended, plain] = [headers["x-idempotency-key"], headers["idempotency-key"]]
  if (extended !== undefined && plain !== undefined && extended !== plain) {
    return new BadRequest({ detail: "X-Idempotency-Key and Idempotency-Key differ" })
  }
  return extended ?? plain
}

function respondTo(reply: Reply, etag: Mutation["etag"]): HttpServerResponse.HttpServerResponse {
  switch (reply._tag) {
    case "Answered": {
      const { answer, isReplay } = reply
      return sent(answer, {
        ...(isReplay ? { [replayHeader]: "true" } : {}),
        ...(etag === undefined || answer.status >= 400 ? {} : { etag: etag(answer.body) })
      })
    }
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
