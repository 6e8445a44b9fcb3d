/**
 * A node's own clock. Wall time has an offset, drifts and jumps; monotonic time only drifts. Timers run on monotonic
 * time, as in every operating system.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Every run begins at 2026-01-01T00:00:00Z by the world's time. */
export const epochMicros = 1_767_225_600_000_000

/** What a fault did to the clock. */
interface Bend {
  readonly fault: string
  /** Which setting of the clock it was, counted from 1. */
  readonly setting: number
  /** Of a jump, which moves wall time only. */
  readonly jumpMicros: number
  /** Of a drift: what the clock has gained since then per second of the world. */
  readonly rateGained: number
  readonly sinceWorldMicros: number
}

/** What can wake a sleeper: the node. Returns a function that cancels. */
export type SetTimer = (delayMicros: number, wake: () => void) => () => void

export class NodeClock implements Clock.Clock {
  readonly #worldMicros: () => number
  readonly #setTimer: SetTimer
  readonly #read: () => void
  readonly #disturbed: (fault: string) => void
  readonly #waits: (millis: number) => void
  readonly #wasSet: (jumpMicros: number) => void
  /** Each until somebody reads a time that it changed, or until it is undone before it has changed any. */
  #bends: ReadonlyArray<Bend> = []
  #settings = 0
  #offsetMicros = 0
  #rate = 1
  /** World and monotonic time when the rate last changed. */
  #anchorWorldMicros: number
  #anchorMonotonicMicros: number

  readonly currentTimeMillis: Effect.Effect<number>
  readonly currentTimeNanos: Effect.Effect<bigint>
  readonly monotonicTimeNanos: Effect.Effect<bigint>

  /** `read` is told of every reading by a program: it is a port call; `disturbed` of the first that a fault changed; `wasSet` of every setting. */
  constructor(options: {
    readonly worldMicros: () => number
    readonly setTimer: SetTimer
    readonly read: () => void
    readonly disturbed: (fault: string) => void
    readonly waits: (millis: number) => void
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

  /** How often this clock was set so far; goes with a time that is taken now and used later. */
  get settings(): number {
    return this.#settings
  }

  /** A look: not a reading by anybody. */
  wallMicros(): number {
    return epochMicros + this.monotonicMicros() + this.#offsetMicros
  }

  monotonicMicros(): number {
    return this.#anchorMonotonicMicros + Math.floor((this.#worldMicros() - this.#anchorWorldMicros) * this.#rate)
  }

  /** Moves wall time; monotonic time and timers do not notice. */
  jump(byMicros: number, fault?: string): void {
    if (fault === undefined) this.#forget((bend) => bend.jumpMicros !== 0 && bend.jumpMicros === -byMicros)
    this.#bend(fault, { jumpMicros: byMicros, rateGained: 0 })
    this.#offsetMicros += byMicros
    this.#wasSet(byMicros)
  }

  /** Timers that are already set keep their moment. */
  drift(rate: number, fault?: string): void {
    this.#forget((bend) => bend.jumpMicros === 0 && !this.#hasChanged(bend))
    this.#bend(fault, { jumpMicros: 0, rateGained: rate - this.#rate })
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
    this.usedWall(this.#settings)
    this.#read()
    return Math.floor(this.wallMicros() / 1000)
  }

  currentTimeNanosUnsafe(): bigint {
    this.usedWall(this.#settings)
    this.#read()
    return BigInt(this.wallMicros()) * 1000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    if (this.#bends.length > 0) this.#use((bend) => bend.jumpMicros === 0)
    this.#read()
    return BigInt(this.monotonicMicros()) * 1000n
  }

  /** Something depends on a wall time that was taken when the clock had been set so often. */
  usedWall(settings: number): void {
    if (this.#bends.length > 0) this.#use((bend) => bend.setting <= settings)
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback<void>((resume) => {
      this.#waits(millis)
      const cancel = this.#setTimer(this.worldDelayMicros(millis * 1000), () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }

  #bend(fault: string | undefined, how: Pick<Bend, "jumpMicros" | "rateGained">): void {
    this.#settings++
    if (fault === undefined) return
    const bend = { fault, setting: this.#settings, sinceWorldMicros: this.#worldMicros(), ...how }
    this.#bends = [...this.#bends, bend]
  }

  #hasChanged({ jumpMicros, rateGained, sinceWorldMicros }: Bend): boolean {
    return jumpMicros !== 0 || Math.abs((this.#worldMicros() - sinceWorldMicros) * rateGained) >= 1
  }

  #use(isOf: (bend: Bend) => boolean): void {
    const changed = this.#bends.filter((bend) => isOf(bend) && this.#hasChanged(bend))
    if (changed.length === 0) return
    this.#forget((bend) => changed.includes(bend))
    for (const { fault } of changed) this.#disturbed(fault)
  }

  #forget(isOver: (bend: Bend) => boolean): void {
    this.#bends = this.#bends.filter((bend) => !isOver(bend))
  }
}
