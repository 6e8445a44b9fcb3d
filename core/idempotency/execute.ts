/**
 * Runs a request at most once for its idempotency key, whoever repeats it, wherever, however often.
 *
 * Claim, then effect and answer in one transaction. Whatever the client sees after the claim is stored; what it sees without
 * one (409, 422) is not. A crash, and any failure without a known answer, leaves the claim to expire; the
 * next request with the key takes it over and starts from the claim. A key that this node has seen is first looked for among the finished.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { idempotencyClaimMillis } from "../Limits.ts"
import * as Metrics from "../Metrics.ts"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { type StorageError, Storage, type Transaction } from "../ports/Storage.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import type { Acknowledged } from "./IdempotencyFacts.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"
import { KeyRetention } from "./KeyRetention.ts"
import { RecentKeys } from "./RecentKeys.ts"

const replays = Mark.sometimes("stored response replayed")
const takesOver = Mark.sometimes("abandoned claim of an idempotency key taken over")
const claimLost = Mark.sometimes("finish refused because the claim was taken over")
const inProgress = Mark.sometimes("repeated request refused while the first runs")
const resolved = Mark.sometimes("unknown commit outcome resolved by the stored answer")

export type Reply =
  | { readonly _tag: "Answered"; readonly answer: IdempotencyKey.Answer; readonly isReplay: boolean }
  /** Not stored: the key was used for another request. */
  | { readonly _tag: "Mismatch" }
  /** Not stored: the first request with the key still runs. */
  | { readonly _tag: "InProgress"; readonly retryAfterSeconds: number }
  /** Not stored: it is not known whether the effect happened, or it did not; the same key is safe to send again. */
  | { readonly _tag: "Unavailable"; readonly retryAfterSeconds: number }

export interface Request extends IdempotencyKey.Identity {
  readonly fingerprint: string
  /** The process that executes. */
  readonly holder: string
  /** Names the transaction of the effect. */
  readonly label: string
}

/**
 * `effect` does everything the request does, inside the transaction it is given, and returns the answer. It may run
 * several times; at most one of its transactions commits.
 */
export const execute = Effect.fnUntraced(function* (
  request: Request,
  effect: (transaction: Transaction) => Effect.Effect<IdempotencyKey.Answer, StorageError>
) {
  const { once, transaction } = yield* Storage
  const keptMillis = yield* KeyRetention
  const recent = yield* RecentKeys

  const told = Effect.fnUntraced(function* (row: IdempotencyKey.IdempotencyKey) {
    const judgement = IdempotencyKey.judge(row, request.fingerprint)
    switch (judgement._tag) {
      case "Mismatch":
        return { _tag: "Mismatch" } satisfies Reply
      case "InProgress":
        yield* Mark.hit(inProgress)
        return retryLater("InProgress")
      case "Replay":
        return yield* acknowledge(request, judgement.answer, true)
    }
  })

  /** When there is no claim, or it is not known what became of it, the row tells. */
  const settled = Effect.gen(function* () {
    const row = yield* retryTransient(IdempotencyKey.look(once, request))
    return row === undefined ? retryLater("InProgress") : yield* told(row)
  })

  const perform = Effect.fnUntraced(function* (claimed: IdempotencyKey.IdempotencyKey) {
    yield* Mark.hit(takesOver, claimed.epoch > 1)
    yield* FaultPoint.here("idempotency/claimed")
    const done = transaction(
      Effect.fnUntraced(function* (tx) {
        const answer = yield* effect(tx)
        yield* FaultPoint.here("idempotency/effect/done")
        const finished = yield* IdempotencyKey.finish(tx, claimed, answer)
        return finished === undefined ? yield* new ClaimLost() : answer
      }),
      { label: request.label }
    )
    // A client that has gone asks again: it shall find an answer, not a claim that has yet to expire.
    const answer = yield* retryTransient(Effect.uninterruptible(done))
    yield* FaultPoint.here("idempotency/finished")
    return yield* acknowledge(request, answer, false)
  })

  const attempt = Effect.gen(function* () {
    // To try to claim what is finished locks its row, which is a write.
    const finished = recent.has(request) ? yield* IdempotencyKey.lookFinished(once, request) : undefined
    if (finished !== undefined) return yield* told(finished)
    recent.note(request)
    const claimed = yield* IdempotencyKey.claim(once, { ...request, keptMillis })
    return claimed === undefined ? yield* settled : yield* perform(claimed)
  })

  return yield* attempt.pipe(
    Effect.catchTag("ClaimLost", () => Effect.andThen(Mark.hit(claimLost), settled)),
    Effect.catchReason("StorageError", "UnknownOutcome", () =>
      Effect.tap(settled, (reply) => Mark.hit(resolved, reply._tag === "Answered"))
    ),
    Effect.catchTag("StorageError", (error) => Effect.as(Effect.logWarning(error.message), retryLater("Unavailable"))),
    Effect.tap((reply: Reply) => Metrics.increment(Metrics.idempotentRequests[measured(reply)]))
  )
})

/** Rolls the effect back; never leaves this file. */
class ClaimLost extends Data.TaggedError("ClaimLost") {}

const acknowledge = (request: IdempotencyKey.Identity, answer: IdempotencyKey.Answer, isReplay: boolean) =>
  Effect.gen(function* () {
    yield* Mark.hit(replays, isReplay)
    yield* Facts.emit({
      _tag: "Acknowledged",
      scope: request.scope,
      key: request.key,
      status: answer.status,
      resultHash: fnv1a32(`${answer.status}\n${answer.body}`),
      isReplay
    } satisfies Acknowledged)
    return { _tag: "Answered", answer, isReplay } satisfies Reply
  })

function retryLater<T extends "InProgress" | "Unavailable">(_tag: T) {
  return { _tag, retryAfterSeconds: Math.ceil(idempotencyClaimMillis / 1_000) }
}

function measured(reply: Reply): keyof typeof Metrics.idempotentRequests {
  if (reply._tag !== "Answered") return reply._tag
  return reply.isReplay ? "replayed" : "executed"
}
