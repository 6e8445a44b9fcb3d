/**
 * Who may begin a session or a stream on this node, and who is asked to come later: so many handshakes a second, so many sessions at a
 * time. Asked before anything else is done for whoever comes, so that a herd costs a node next to nothing.
 *
 * - N1 In any second at most `perSecond + burst` handshakes are taken.
 * - N2 Who is refused is told to stay away for as long as it takes to let in those who were refused before him: a crowd comes back one
 *   after the other, and not all at once.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Unavailable } from "../api/ApiErrors.ts"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { handshakeRetrySecondsMax, handshakesBurst, handshakesPerSecond, sessionsMax } from "../Limits.ts"
import * as Metrics from "../Metrics.ts"
import * as TokenBucket from "../reconcile/TokenBucket.ts"
import type { HandshakeAdmitted } from "./SessionFacts.ts"

export interface AdmissionLimits {
  readonly perSecond: number
  readonly burst: number
  readonly sessionsMax: number
}

export const defaultLimits: AdmissionLimits = { perSecond: handshakesPerSecond, burst: handshakesBurst, sessionsMax }

export interface Door {
  readonly bucket: TokenBucket.TokenBucket
  /** Those who were refused and have not had the time to come back. */
  readonly crowd: number
}

export const atFirst = ({ burst, perSecond }: AdmissionLimits, nowMicros: number): Door => ({
  bucket: TokenBucket.make({ burst, perSecond, nowMicros }),
  crowd: 0
})

/** Somebody knocks. `retryAfterSeconds` undefined: he is let in. */
export const knock = (
  door: Door,
  nowMicros: number
): { readonly door: Door; readonly retryAfterSeconds: number | undefined } => {
  const bucket = TokenBucket.refill(door.bucket, nowMicros)
  const passedSeconds = Math.max(0, nowMicros - door.bucket.atMicros) / 1_000_000
  const crowd = Math.max(0, door.crowd - passedSeconds * bucket.perSecond)
  const left = TokenBucket.take(bucket)
  if (left !== undefined) return { door: { bucket: left, crowd }, retryAfterSeconds: undefined }
  const retryAfterSeconds = Math.min(handshakeRetrySecondsMax, 1 + Math.floor(crowd / bucket.perSecond))
  return { door: { bucket, crowd: crowd + 1 }, retryAfterSeconds }
}

const refusedForNow = Mark.sometimes("handshake refused because too many come at once")

export class Admission extends Context.Service<
  Admission,
  {
    /** Holds a place until the scope ends. */
    readonly enter: Effect.Effect<void, Unavailable, Scope.Scope>
  }
>()("stormglass/core/session/Admission") {}

export const layer = (limits: AdmissionLimits = defaultLimits): Layer.Layer<Admission> =>
  Layer.effect(
    Admission,
    Effect.gen(function* () {
      let door = atFirst(limits, yield* monotonicMicros)
      let held = 0
      const refuse = (detail: string, retryAfterSeconds: number) =>
        Effect.andThen(
          Metrics.increment(Metrics.handshakes.refused),
          Effect.fail(new Unavailable({ detail, retryAfterSeconds }))
        )
      const enter = Effect.gen(function* () {
        const nowMicros = yield* monotonicMicros
        if (held >= limits.sessionsMax) {
          return yield* refuse(`this node has ${limits.sessionsMax} sessions already`, handshakeRetrySecondsMax)
        }
        const knocked = knock(door, nowMicros)
        door = knocked.door
        const { retryAfterSeconds } = knocked
        yield* Mark.hit(refusedForNow, retryAfterSeconds !== undefined)
        if (retryAfterSeconds !== undefined) {
          return yield* refuse("too many come at once: come again later", retryAfterSeconds)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => held++),
          () => Effect.sync(() => held--)
        )
        yield* Facts.emit<HandshakeAdmitted>({ _tag: "HandshakeAdmitted", held, ...limits })
        yield* Metrics.increment(Metrics.handshakes.admitted)
      })
      return { enter }
    })
  )
