/** A uid: the name, for those who read it, and 64 bits of chance, so that none is ever used twice. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

export const makeUid = (name: string): Effect.Effect<string> =>
  Effect.zipWith(word, word, (high, low) => `${name}-${high}${low}`)

const word = Effect.map(Random.nextIntBetween(0, 2 ** 32), (integer) => integer.toString(16).padStart(8, "0"))
