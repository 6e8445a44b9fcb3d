/**
 * The cure of what `clusterSingleton.ts` shows: the same runners under the same faults, with the shards of `core/cluster/ShardFence.ts`. The
 * singleton and the entities say their epoch to what they write to, which refuses a lower one.
 *
 *   npx stormglass run scenarios/examples/clusterFenced.ts --seeds 50
 */
import * as Entity from "effect/cluster/Entity"
import * as Singleton from "effect/cluster/Singleton"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as ShardFence from "../../core/cluster/ShardFence.ts"
import * as ClusterScenario from "../../sim/cluster/ClusterScenario.ts"
import type { FencedResource } from "../../sim/outside/OutsideResource.ts"

/** What is between the decision to write and the write: the process may be paused just there. */
const preparing = Effect.sleep("100 millis")

const sweep = (resource: FencedResource) =>
  Effect.gen(function* () {
    const { epoch, guarded } = yield* ShardFence.ofSingleton("sweep")
    const { write } = yield* resource.writer("sweep")
    const sweeping = guarded(Effect.andThen(preparing, write("swept", epoch)))
    return yield* Effect.forever(Effect.andThen(sweeping, Effect.sleep("400 millis")))
  })

const Counter = Entity.make("Counter", [Rpc.make("Increment")])

const counting = (resource: FencedResource) =>
  Counter.toLayer(
    Effect.gen(function* () {
      const { entityId } = yield* Entity.CurrentAddress
      const { epoch, guarded } = yield* ShardFence.ofEntity
      const { write } = yield* resource.writer(`counter ${entityId}`)
      const incrementing = guarded(Effect.andThen(preparing, write("incremented", epoch)))
      return Counter.of({ Increment: () => Effect.asVoid(incrementing) })
    })
  )

const ids = ["a", "b", "c"] as const

/** Each runner asks one of them after the other, every four seconds. */
const asking = Layer.effectDiscard(
  Effect.gen(function* () {
    const clientOf = yield* Counter.client
    const ask = (id: string) =>
      clientOf(id)
        .Increment()
        .pipe(
          Effect.timeoutOption("5 seconds"),
          Effect.catchCause((cause) => Effect.logDebug(cause)),
          Effect.andThen(Effect.sleep("4 seconds"))
        )
    yield* Effect.forkScoped(Effect.forever(Effect.forEach(ids, ask, { discard: true })))
  })
)

export const clusterFenced = ClusterScenario.makeFenced({
  name: "example/cluster-fenced",
  story:
    "A singleton and three entities write to something outside with the epoch of their shard, on whichever runner has it. However runners and links are struck, nothing is taken from one after it was taken from a newer one.",
  program: (outside) =>
    Layer.mergeAll(Singleton.make("sweep", Effect.scoped(sweep(outside))), counting(outside), asking)
})
