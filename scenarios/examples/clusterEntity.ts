/**
 * An entity of `effect/cluster`, unmodified, on two runners, one of which hears nothing from its store for a while and runs on. On
 * `effect` 4.0.0-beta.99 it runs in two places then (https://github.com/Effect-TS/effect/issues/6508); see docs/versions.md.
 *
 *   npx stormglass compare scenarios/examples/clusterEntity.ts --with effect=effect-beta --seeds 50
 */
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as ClusterKit from "../../sim/cluster/ClusterKit.ts"
import * as ClusterStore from "../../sim/cluster/ClusterStore.ts"
import { noStaleWrites, OutsideResource } from "../../sim/outside/OutsideResource.ts"
import { roughly, victimTag } from "../../sim/nemesis/kinds/process.ts"
import * as Scenario from "../../sim/run/Scenario.ts"

const safetyMillis = 200_000

/** A job of two minutes. */
const Job = Entity.make("Job", [
  Rpc.make("Run", { payload: { id: Schema.String }, primaryKey: ({ id }) => id }).annotate(
    ClusterSchema.Persisted,
    true
  )
])

const jobs = (resource: OutsideResource) =>
  Job.toLayer(
    Effect.gen(function* () {
      const { entityId } = yield* Entity.CurrentAddress
      const { write } = yield* resource.writer(`Job/${entityId}`)
      const step = Effect.andThen(write("done a step"), Effect.sleep("500 millis"))
      return Job.of({ Run: () => Effect.asVoid(Effect.repeat(step, { times: 240 })) })
    })
  )

const orders = Effect.gen(function* () {
  const jobOf = yield* Job.client
  yield* Effect.sleep("10 seconds")
  yield* Effect.forEach(["a", "b", "c"], (id) => jobOf(id).Run({ id }, { discard: true }))
})

/** @public Loaded by path. */
export const clusterEntity = Scenario.make({
  name: "example/cluster-entity",
  story:
    "Three jobs of two minutes on two runners write to something outside. However long a runner hears nothing from its store, no job writes after a newer run of it.",
  safetyMillis,
  build: (world) => {
    ClusterStore.start(world)
    const options = { config: { shardsPerGroup: 12, shardLockDisableAdvisory: true }, peers: "store" } as const
    const resource = new OutsideResource()
    for (const name of ["r1", "r2"]) ClusterKit.runner(world, name, jobs(resource), options).start()
    ClusterKit.client(world, "c", orders, options).start()
  },
  /** One runner, once, from 15 to 60 s long. */
  faults: (draw) => ({
    version: 1,
    faults: [
      {
        when: { at: roughly(draw.child("at"), 40_000_000, 70_000_000) },
        target: `random(${victimTag})`,
        with: "store",
        fault: "network/partition",
        for: roughly(draw.child("for"), 15_000_000, 60_000_000)
      }
    ]
  }),
  invariants: [noStaleWrites]
})
