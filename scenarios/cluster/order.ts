/** An order as a workflow, and what a client asks of it. */
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Workflow from "effect/workflow/Workflow"

export const Order = Workflow.make("Order", {
  payload: { order: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ order }) => order
})

/** Twenty orders of a client. */
export const ordering = {
  ask: (order: string) => Effect.provide(Order.execute({ order }), ClusterWorkflowEngine.layer),
  asks: 20
}
