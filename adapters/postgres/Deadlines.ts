/**
 * Ends what has taken too long: the same time for all, so that those who began first end first, and one timer will do. A timer of
 * its own for every statement costs more than the statement.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { monotonicMicrosUnsafe } from "../../core/clock/monotonicMicros.ts"

export interface Deadline {
  readonly atMicros: number
  expire: () => void
}

const ended = () => {}

export class Deadlines {
  readonly #micros: number
  readonly #clock: Clock.Clock
  readonly #run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>
  /** In the order in which they began. */
  readonly #pending = new Set<Deadline>()
  #timer: Fiber.Fiber<void> | undefined

  /** Until the scope closes. */
  static make(millis: number): Effect.Effect<Deadlines, never, Scope.Scope> {
    return Effect.gen(function* () {
      const deadlines = new Deadlines(millis, yield* Clock.Clock, Effect.runForkWith(yield* Effect.context<never>()))
      yield* Effect.addFinalizer(() => Effect.sync(() => deadlines.#timer?.interruptUnsafe()))
      return deadlines
    })
  }

  private constructor(millis: number, clock: Clock.Clock, run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>) {
    this.#micros = millis * 1_000
    this.#clock = clock
    this.#run = run
  }

  /** Calls `expire` once that much time has passed, unless the answer is called before. */
  begin(expire: () => void): () => void {
    const deadline: Deadline = { atMicros: monotonicMicrosUnsafe(this.#clock) + this.#micros, expire }
    this.#pending.add(deadline)
    this.#watch(deadline)
    return () => {
      this.#pending.delete(deadline)
      // Tables that a set has outgrown lie among the old objects, and what they hold survives until those are collected.
      deadline.expire = ended
    }
  }

  /** One timer for the first; when it rings, most of those it was set for have long ended. */
  #watch({ atMicros }: Deadline): void {
    if (this.#timer !== undefined) return
    const waitMillis = Math.max(1, Math.ceil((atMicros - monotonicMicrosUnsafe(this.#clock)) / 1_000))
    this.#timer = this.#run(
      Effect.andThen(
        Effect.sleep(waitMillis),
        Effect.sync(() => this.#look())
      )
    )
  }

  #look(): void {
    this.#timer = undefined
    const micros = monotonicMicrosUnsafe(this.#clock)
    for (const deadline of this.#pending) {
      if (deadline.atMicros > micros) return this.#watch(deadline)
      this.#pending.delete(deadline)
      deadline.expire()
    }
  }
}
