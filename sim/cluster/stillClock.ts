/** A clock on which no time passes, for what of `effect/cluster` is asked before any node runs: nothing of it is left to the host. */
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** `sleep` is what a sleep comes to: it may end at once, or never. */
export const stillClock = (sleep: (duration: Duration.Duration) => Effect.Effect<void>): Clock.Clock => ({
  currentTimeMillisUnsafe: () => 0,
  currentTimeMillis: Effect.succeed(0),
  currentTimeNanosUnsafe: () => 0n,
  currentTimeNanos: Effect.succeed(0n),
  monotonicTimeNanosUnsafe: () => 0n,
  monotonicTimeNanos: Effect.succeed(0n),
  sleep
})
