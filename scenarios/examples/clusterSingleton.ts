/**
 * A singleton of `effect/cluster`, unmodified, on two or three runners: what its defaults allow. It fails, and is no part of the catalogue.
 *
 *   npx stormglass run scenarios/examples/clusterSingleton.ts --seeds 50
 */
import * as Singleton from "effect/cluster/Singleton"
import * as Effect from "effect/Effect"
import * as ClusterScenario from "../../sim/cluster/ClusterScenario.ts"
import type { OutsideResource } from "../../sim/outside/OutsideResource.ts"

const sweep = (outside: OutsideResource) =>
  Effect.gen(function* () {
    const { write } = yield* outside.writer("sweep")
    return yield* Effect.forever(Effect.andThen(write("swept"), Effect.sleep("500 millis")))
  })

export const clusterSingleton = ClusterScenario.make({
  name: "example/cluster-singleton",
  story:
    "A singleton writes to something outside, twice a second, on whichever runner has its shard. However runners and links are struck, none writes after a newer one.",
  program: (outside) => Singleton.make("sweep", Effect.scoped(sweep(outside)))
})
