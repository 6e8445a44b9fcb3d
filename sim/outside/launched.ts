/** Programs of layers on nodes: whether they come up at all. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Mark from "../../core/facts/Mark.ts"
import type { World } from "../run/World.ts"

/** Where no node of a scenario ever does, everything holds of it: `simTest` fails. */
export const cameUp = Mark.reachable("did what the nodes run come up")

/** `Layer.launch`, operation by operation, with a mark once all of it stands. */
export const launched = <A, E, R>(world: World, layer: Layer.Layer<A, E, R>): Effect.Effect<never, E, R> => {
  const never = Effect.callback<never>(() => world.mark(cameUp, true))
  return Effect.scoped(Effect.andThen(Layer.build(layer), never))
}
