/**
 * Carries out an effect outside, which no fence can stop: only while the grant lasts, looked at as late as possible, and
 * told before and after.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { providerCallTimeoutMillis } from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import { ProviderError, UnknownEffect } from "../ports/Provider.ts"
import type { EffectEnded, EffectStarted } from "./ReconcileFacts.ts"

const tooLate = Mark.sometimes("effect outside refused because the grant had run out")

/** Fails with `UnknownEffect` when the call has no answer in time. Waits for its interruption when the grant has run out. */
export const effectUnderGrant = Effect.fnUntraced(function* <R>(
  call: Effect.Effect<void, ProviderError, R>,
  options: { readonly effect: "start" | "stop"; readonly uid: string; readonly grant: Grant }
) {
  const { effect, uid, grant } = options
  const tell = yield* Facts.Facts
  const said = { effect, uid, lease: grant.lease, epoch: grant.epoch }
  const bounded = Effect.timeoutOrElse(call, {
    duration: `${providerCallTimeoutMillis} millis`,
    orElse: () => Effect.fail(new ProviderError({ call: effect, reason: new UnknownEffect() }))
  })
  yield* FaultPoint.here(`provider/${effect}/asked`)
  // The look at the grant and the word that the effect begins are one piece, and whoever has said that says also that it ends.
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      if (grant.remainingMicrosUnsafe() <= 0) return Effect.andThen(Mark.hit(tooLate), restore(Effect.never))
      const started: EffectStarted = { _tag: "EffectStarted", ...said }
      tell(started)
      return Effect.onExit(restore(bounded), (exit) =>
        Effect.sync(() => {
          const isFailure = exit._tag === "Failure"
          const outcome = isFailure ? (Cause.hasInterrupts(exit.cause) ? "interrupted" : "failed") : "done"
          const ended: EffectEnded = { _tag: "EffectEnded", ...said, outcome }
          tell(ended)
        })
      )
    })
  )
  yield* FaultPoint.here(`provider/${effect}/answered`)
})
