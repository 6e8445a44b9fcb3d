/**
 * A singleton of `effect/cluster`, unmodified, on two or three runners: what its defaults allow. It fails, and is no part of the catalogue.
 *
 *   npx stormglass run scenarios/examples/clusterSingleton.ts --seeds 50
 */
import * as Singleton from "effect/cluster/Singleton"
import * as Effect from "effect/Effect"
import { toCheck } from "../../core/invariants/Invariant.ts"
import * as ClusterKit from "../../sim/cluster/ClusterKit.ts"
import * as ClusterStore from "../../sim/cluster/ClusterStore.ts"
import { noStaleWrites, OutsideResource } from "../../sim/cluster/OutsideResource.ts"
import type { FaultKind } from "../../sim/nemesis/FaultKind.ts"
import { commonKinds } from "../../sim/nemesis/faultKinds.ts"
import { moments, pause, roughly, victimTag } from "../../sim/nemesis/kinds/process.ts"
import * as Swarm from "../../sim/nemesis/Swarm.ts"
import * as Scenario from "../../sim/run/Scenario.ts"

const safetyMillis = 200_000

const sweep = (resource: OutsideResource) =>
  Effect.gen(function* () {
    const { write } = yield* resource.writer("sweep")
    return yield* Effect.forever(Effect.andThen(write("swept"), Effect.sleep("500 millis")))
  })

/** Also longer than locks of shards last, 35 s: a virtual machine that is suspended. */
const longPause: FaultKind = {
  ...pause,
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target: `random(${victimTag})`,
      fault: pause.name,
      for: roughly(own, 500_000, 90_000_000)
    }))
}

export const clusterSingleton = Scenario.make({
  name: "example/cluster-singleton",
  story:
    "A singleton writes to something outside, twice a second, on whichever runner has its shard. However runners and links are struck, none writes after a newer one.",
  parameters: { runners: [2, 3] },
  safetyMillis,
  build: (world, { runners }) => {
    ClusterStore.start(world)
    const config = { shardsPerGroup: 12, shardLockDisableAdvisory: true }
    const singleton = Singleton.make("sweep", Effect.scoped(sweep(new OutsideResource())))
    for (let nth = 1; nth <= runners!; nth++) ClusterKit.runner(world, `r${nth}`, singleton, { config }).start()
  },
  faults: (draw, world) =>
    Swarm.draw(draw, world, {
      kinds: [...commonKinds.filter(({ name }) => name !== pause.name), longPause],
      safetyMicros: safetyMillis * 1_000
    }),
  invariants: [toCheck(noStaleWrites)]
})
