/**
 * For how long an idempotency key is remembered, from its first request on, in milliseconds. After that the key is another
 * request's. The same on all nodes of a deployment; 24 h unless it is configured.
 */
import * as Context from "effect/Context"
import { clockDriftRatioMax, idempotencyClaimMillis, idempotencyRetentionMillis } from "../Limits.ts"

export const KeyRetention: Context.Reference<number> = Context.Reference<number>(
  "stormglass/core/idempotency/KeyRetention",
  { defaultValue: () => idempotencyRetentionMillis }
)

/** Why keys cannot be kept for so long; nothing when they can. */
export const problem = (millis: number): string | undefined =>
  millis * (1 - clockDriftRatioMax) > 10 * idempotencyClaimMillis
    ? undefined
    : `keys are kept for ${millis} ms, which is not much longer than one may be executed (${idempotencyClaimMillis} ms)`
