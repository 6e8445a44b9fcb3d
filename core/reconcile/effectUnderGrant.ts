/**
 * Carries out an effect outside, which no fence can stop: only while the grant lasts, looked at as late as possible, and
 * told before and after.
 */
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
  yield* FaultPoint.here(`provider/${effect}/asked`)
  const said = { effect, uid, lease: grant.lease, epoch: grant.epoch }
  if ((yield* grant.remainingMicros) <= 0) {
    yield* Mark.hit(tooLate)
    return yield* Effect.never
  }
  yield* Facts.emit({ _tag: "EffectStarted", ...said } satisfies EffectStarted)
  yield* call.pipe(
    Effect.timeoutOrElse({
      duration: `${providerCallTimeoutMillis} millis`,
      orElse: () => Effect.fail(new ProviderError({ call: effect, reason: new UnknownEffect() }))
    }),
    Effect.onExit((exit) => {
      const isFailure = exit._tag === "Failure"
      const isInterrupted = isFailure && exit.cause.reasons.some((reason) => reason._tag === "Interrupt")
      const outcome = isInterrupted ? "interrupted" : isFailure ? "failed" : "done"
      return Facts.emit({ _tag: "EffectEnded", ...said, outcome } satisfies EffectEnded)
    })
  )
  yield* FaultPoint.here(`provider/${effect}/answered`)
})
