/**
 * What is short and what is long for a program: how long the faults of an exhaustive search last. Part of its bound, and the scenario's
 * to say, as it alone knows whose patience is to be outlasted.
 */
export interface Scale {
  /** Of pauses, kills, restarts and cuts; of kills and restarts only the shortest and the one that lasts. */
  readonly outageMillis: ReadonlyArray<number>
  /** The one of them that others are added to: it outlasts what is usually waited for. */
  readonly lastingMillis: number
  /** By how much one message is late. */
  readonly delayMillis: ReadonlyArray<number>
  /** For how long one fiber stays off the processor while the rest of its node goes on. */
  readonly stallMillis: ReadonlyArray<number>
  /** How far a clock is set forward, or back. */
  readonly jumpMillis: ReadonlyArray<number>
  /** Seconds of a clock in a second. */
  readonly driftRates: ReadonlyArray<number>
  /** What a task of a slow processor takes. */
  readonly taskMicros: ReadonlyArray<number>
}

export const usual: Scale = {
  outageMillis: [300, 5_000, 20_000],
  lastingMillis: 5_000,
  delayMillis: [1, 200, 5_000],
  stallMillis: [5_000],
  jumpMillis: [-30_000, 30_000],
  driftRates: [0.98, 1.02],
  taskMicros: [5_000]
}
