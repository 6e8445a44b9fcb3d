/**
 * Draws by name: `draw.integer("nodes", 3, 5)`. The name is the key, so that one more draw moves no other.
 */
import type * as Random from "effect/Random"
import * as Chance from "../kernel/Chance.ts"

export class Draw {
  readonly #key: Chance.Key

  constructor(key: Chance.Key) {
    this.#key = key
  }

  /** Draws of a named part, independent of all others. */
  child(name: string): Draw {
    return new Draw(Chance.derive(this.#key, name))
  }

  fraction(name: string): number {
    return Chance.fraction(Chance.derive(this.#key, name), 0)
  }

  /** Both bounds included. */
  integer(name: string, minimum: number, maximum: number): number {
    return Chance.integer(Chance.derive(this.#key, name), 0, minimum, maximum)
  }

  happens(name: string, probability: number): boolean {
    return Chance.happens(Chance.derive(this.#key, name), 0, probability)
  }

  pick<A>(name: string, from: ReadonlyArray<A>): A {
    return Chance.pick(Chance.derive(this.#key, name), 0, from)
  }

  /** Uniform in the logarithm, for quantities that span magnitudes; both bounds positive. */
  logarithmic(name: string, minimum: number, maximum: number): number {
    return minimum * (maximum / minimum) ** this.fraction(name)
  }

  /** For code that draws in sequence, through Effect's `Random`. */
  random(): Random.Random {
    const stream = Chance.generator(this.#key)
    return {
      nextIntUnsafe: () => Math.floor((stream.double() - 0.5) * 2 * Number.MAX_SAFE_INTEGER),
      nextDoubleUnsafe: () => stream.double()
    }
  }

  /** In an order of its own (Fisher and Yates). */
  shuffle<A>(name: string, items: ReadonlyArray<A>): ReadonlyArray<A> {
    const key = Chance.derive(this.#key, name)
    const shuffled = [...items]
    for (let index = shuffled.length - 1; index > 0; index--) {
      const other = Chance.integer(key, index, 0, index)
      const item = shuffled[index] as A
      shuffled[index] = shuffled[other] as A
      shuffled[other] = item
    }
    return shuffled
  }
}
