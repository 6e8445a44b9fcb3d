/**
 * The node's monotonic clock in microseconds: for its own deadlines only, since it means nothing to anybody else.
 * It never jumps; it may drift by `clockDriftRatioMax`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export const monotonicMicros: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000n)
)

/** The same at once, for what must be read and used with nothing in between. */
export const monotonicMicrosUnsafe = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000n)
