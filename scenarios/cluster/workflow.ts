/**
 * Workflows of `effect/cluster`, unmodified: a client orders twenty times, and each order reserves, waits and charges. What is to hold of
 * it, one at a time; where one does not, docs/effect-cluster.md says why.
 *
 *   npx stormglass run scenarios/cluster/workflow.ts#once --seeds 50
 */
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Activity from "effect/workflow/Activity"
import * as DurableClock from "effect/workflow/DurableClock"
import * as Workflow from "effect/workflow/Workflow"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import * as ClusterScenario from "../../sim/cluster/ClusterScenario.ts"
import {
  effectsOnce,
  noStaleWrites,
  nothingAfterAnswer,
  type OutsideResource,
  type Written
} from "../../sim/outside/OutsideResource.ts"
import { Order, ordering } from "./order.ts"

const steps = (outside: OutsideResource) =>
  Effect.fnUntraced(function* ({ order }: { readonly order: string }) {
    const step = (name: string, message: string) =>
      Activity.make({
        name,
        execute: Effect.gen(function* () {
          const { write } = yield* outside.writer(`${order}/${name}`)
          yield* Effect.sleep("1 second")
          yield* write(name, message)
        }).pipe(Effect.scoped)
      })
    yield* step("reserve", order)
    yield* DurableClock.sleep({ name: "cooling off", duration: "5 seconds", inMemoryThreshold: "1 second" })
    yield* step("charge", order)
    return order
  })

const orders = (outside: OutsideResource) => Layer.provide(Order.toLayer(steps(outside)), ClusterWorkflowEngine.layer)

const situation = { ...ordering, program: orders }

export const stale = ClusterScenario.make({
  ...situation,
  name: "cluster/workflow#stale",
  story: "No step of an order is taken by an activation after one that began later has taken it.",
  invariants: [noStaleWrites]
})

export const once = ClusterScenario.make({
  ...situation,
  name: "cluster/workflow#once",
  story: "No step is done twice for an order.",
  invariants: [effectsOnce]
})

export const afterAnswer = ClusterScenario.make({
  ...situation,
  name: "cluster/workflow#afterAnswer",
  story: "No step is done for an order that its client was told is done.",
  invariants: [nothingAfterAnswer]
})

export const answered = ClusterScenario.make({
  ...situation,
  name: "cluster/workflow#answered",
  story: "Two minutes after the last fault every order has come to its end.",
  invariants: [],
  answeredWithinMillis: 120_000
})

export const answeredAtAll = ClusterScenario.make({
  ...situation,
  name: "cluster/workflow#answeredAtAll",
  story:
    "Half an hour after the last fault every order has come to its end: a message that was read and lost is read again after ten minutes, and a workflow has three.",
  invariants: [],
  answeredWithinMillis: 1_800_000
})

/** Says of an order when it fails, which nothing in it does. */
const watchedOrders = (outside: OutsideResource) =>
  Order.toLayer((payload) =>
    Effect.tapDefect(steps(outside)(payload), () =>
      Effect.scoped(
        Effect.flatMap(outside.writer(`${payload.order}/end`), ({ write }) => write("failed", payload.order))
      )
    )
  ).pipe(Layer.provide(ClusterWorkflowEngine.layer))

const nothingFailed: Invariant<null> = {
  name: "nothing-failed",
  states: "No order fails.",
  initial: () => null,
  step: (state, { fact }) => {
    const { _tag, message, what } = fact as Partial<Written>
    return _tag === "Written" && what === "failed" ? new Violation(`order ${message} failed`, { message }) : state
  }
}

export const unfailed = ClusterScenario.make({
  ...situation,
  program: watchedOrders,
  name: "cluster/workflow#unfailed",
  story: "No order fails, for nothing in it does: what its store refuses for a moment is none of it.",
  invariants: [nothingFailed]
})

const Uncaptured = Order.annotate(Workflow.CaptureDefects, false)

export const uncaptured = ClusterScenario.make({
  ...ordering,
  program: (outside) => Layer.provide(Uncaptured.toLayer(steps(outside)), ClusterWorkflowEngine.layer),
  ask: (order) => Effect.provide(Uncaptured.execute({ order }), ClusterWorkflowEngine.layer),
  name: "cluster/workflow#uncaptured",
  story:
    "Two minutes after the last fault every order has come to its end, where a defect is not the end of a workflow.",
  invariants: [],
  answeredWithinMillis: 120_000
})
