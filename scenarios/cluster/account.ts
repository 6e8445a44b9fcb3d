/** An account that orders are charged to, by persisted messages, and what a client asks of it. */
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"

export const Account = Entity.make("Account", [
  Rpc.make("Charge", { payload: { order: Schema.String }, success: Schema.String, primaryKey: ({ order }) => order })
]).annotateRpcs(ClusterSchema.Persisted, true)

/** Forty orders of a client, to five accounts. */
export const charging = {
  ask: (order: string, nth: number) =>
    Effect.flatMap(Account.client, (account) => account(`a${nth % 5}`).Charge({ order }))
}
