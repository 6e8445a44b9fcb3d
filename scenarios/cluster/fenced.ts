/**
 * The account of `entity.ts` and the orders of `workflow.ts` on fenced shards (docs/cluster-fencing.md): under the same plans, nothing is
 * taken from whoever has been succeeded.
 *
 *   npx stormglass run scenarios/cluster/fenced.ts#workflow --seeds 50
 */
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Activity from "effect/workflow/Activity"
import * as DurableClock from "effect/workflow/DurableClock"
import * as ShardFence from "../../core/cluster/ShardFence.ts"
import * as ClusterScenario from "../../sim/cluster/ClusterScenario.ts"
import type { FencedResource } from "../../sim/outside/OutsideResource.ts"
import { Account, charging } from "./account.ts"
import { Order, ordering } from "./order.ts"

/** Whoever is refused has been succeeded, and says nothing: the message, the step, is its successor's. */
const orNever = (isTaken: boolean): Effect.Effect<void> => (isTaken ? Effect.void : Effect.never)

const accounts = (outside: FencedResource) =>
  Account.toLayer(
    Effect.gen(function* () {
      const { entityId } = yield* Entity.CurrentAddress
      const { epoch, guarded } = yield* ShardFence.ofEntity
      const { activation, write } = yield* outside.writer(`Account/${entityId}`)
      const charge = Effect.fnUntraced(function* (order: string) {
        yield* Effect.flatMap(write("begun", epoch), orNever)
        yield* Effect.sleep("3 seconds")
        yield* Effect.flatMap(write("charged", epoch, order), orNever)
        return `${order} by ${activation}`
      })
      return Account.of({ Charge: ({ payload: { order } }) => guarded(charge(order)) })
    })
  )

export const entity = ClusterScenario.makeFenced({
  ...charging,
  name: "cluster/fenced#entity",
  story:
    "Nothing is charged by an activation of an account after one that began later has charged, and by no two runners at once.",
  program: accounts
})

const orders = (outside: FencedResource) =>
  Order.toLayer(
    Effect.fnUntraced(function* ({ order }) {
      const { epoch, guarded } = yield* ShardFence.ofWorkflow
      const step = (name: string) =>
        Activity.make({
          name,
          execute: Effect.gen(function* () {
            const { write } = yield* outside.writer(`${order}/${name}`)
            yield* Effect.sleep("1 second")
            yield* Effect.flatMap(write(name, epoch, order), orNever)
          }).pipe(Effect.scoped, guarded)
        })
      yield* step("reserve")
      yield* DurableClock.sleep({ name: "cooling off", duration: "5 seconds", inMemoryThreshold: "1 second" })
      yield* step("charge")
      return order
    })
  ).pipe(Layer.provide(ClusterWorkflowEngine.layer))

export const workflow = ClusterScenario.makeFenced({
  ...ordering,
  name: "cluster/fenced#workflow",
  story:
    "No step of an order is taken by an activation after one that began later has taken it, and by no two runners at once.",
  program: orders
})
