/**
 * The singleton of `scenarios/examples/clusterSingleton.ts`, for longer than the one write that any process is good for that was paused
 * before it.
 *
 *   npx stormglass run scenarios/cluster/singleton.ts --seeds 50
 */
import { noOverlap } from "../../sim/outside/OutsideResource.ts"
import * as Scenario from "../../sim/run/Scenario.ts"
import { clusterSingleton } from "../examples/clusterSingleton.ts"

export const overlap = Scenario.make({
  ...clusterSingleton,
  name: "cluster/singleton#overlap",
  story: "The singleton of example/cluster-singleton is nowhere active for longer than a second beside a newer one.",
  invariants: [noOverlap({ longerThanMillis: 1_000 })]
})
