/**
 * A node's own clock. Wall time has an offset, drifts and jumps; monotonic time only drifts. Timers run on monotonic
 * time, as in every operating system.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Every run begins at 2026-01-01T00:00:00Z by the world's time. */
export const epochMicros = 1_767_225_600_000_000

/** What can wake a sleeper: the node. Returns a function that cancels. */
export type SetTimer = (delayMicros: number, wake: () => void) => () => void

export class NodeClock implements Clock.Clock {
  readonly #worldMicros: () => number
  readonly #setTimer: SetTimer
  readonly #read: () => void
  readonly #disturbed: (fault: string) => void
  readonly #waits: (what: string) => void
  readonly #wasSet: (jumpMicros: number) => void
  /** The fault that bent this clock, until a program reads it. */
  #bentBy: string | undefined
  #offsetMicros = 0
  #rate = 1
  /** World and monotonic time when the rate last changed. */
  #anchorWorldMicros: number
  #anchorMonotonicMicros: number

  readonly currentTimeMillis: Effect.Effect<number>
  readonly currentTimeNanos: Effect.Effect<bigint>
  readonly monotonicTimeNanos: Effect.Effect<bigint>

  /** `read` is told of every reading by a program: it is a port call; `disturbed` of the first after a fault; `wasSet` of every change. */
  constructor(options: {
    readonly worldMicros: () => number
    readonly setTimer: SetTimer
    readonly read: () => void
    readonly disturbed: (fault: string) => void
    readonly waits: (what: string) => void
    readonly wasSet: (jumpMicros: number) => void
  }) {
    this.#worldMicros = options.worldMicros
    this.#setTimer = options.setTimer
    this.#read = options.read
    this.#disturbed = options.disturbed
    this.#waits = options.waits
    this.#wasSet = options.wasSet
    this.#anchorWorldMicros = options.worldMicros()
    this.#anchorMonotonicMicros = this.#anchorWorldMicros
    this.currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
    this.currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
    this.monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())
  }

  get offsetMicros(): number {
    return this.#offsetMicros
  }

  /** Seconds of this clock per second of the world. */
  get rate(): number {
    return this.#rate
  }

  wallMicros(): number {
    return epochMicros + this.monotonicMicros() + this.#offsetMicros
  }

  monotonicMicros(): number {
    return this.#anchorMonotonicMicros + Math.floor((this.#worldMicros() - this.#anchorWorldMicros) * this.#rate)
  }

  /** Moves wall time; monotonic time and timers do not notice. */
  jump(byMicros: number, fault?: string): void {
    this.#bentBy = fault ?? this.#bentBy
    this.#offsetMicros += byMicros
    this.#wasSet(byMicros)
  }

  /** Timers that are already set keep their moment. */
  drift(rate: number, fault?: string): void {
    this.#bentBy = fault ?? this.#bentBy
    this.#anchorMonotonicMicros = this.monotonicMicros()
    this.#anchorWorldMicros = this.#worldMicros()
    this.#rate = rate
    this.#wasSet(0)
  }

  /** How long this much of the node's time takes in the world. */
  worldDelayMicros(ownMicros: number): number {
    return this.#rate === 1 ? Math.ceil(ownMicros) : Math.ceil(ownMicros / this.#rate)
  }

  currentTimeMillisUnsafe(): number {
    this.#reading()
    return Math.floor(this.wallMicros() / 1000)
  }

  currentTimeNanosUnsafe(): bigint {
    this.#reading()
    return BigInt(this.wallMicros()) * 1000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    this.#reading()
    return BigInt(this.monotonicMicros()) * 1000n
  }

  #reading(): void {
    if (this.#bentBy !== undefined) {
      this.#disturbed(this.#bentBy)
      this.#bentBy = undefined
    }
    this.#read()
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback<void>((resume) => {
      this.#waits(`its timer of ${Math.round(millis)} ms`)
      const cancel = this.#setTimer(this.worldDelayMicros(millis * 1000), () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }
}
