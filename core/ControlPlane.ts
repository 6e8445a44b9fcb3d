/**
 * Everything that one node of the control plane runs, composed once. It needs only ports.
 *
 * The order is that of the layers: the node joins, and thereby reads the store, before it may hold a lease; it holds a
 * lease before it works; and nothing that it works on comes from anywhere but the store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as BucketOwner from "./bucket/BucketOwner.ts"
import * as BucketWork from "./BucketWork.ts"
import * as Leader from "./Leader.ts"
import type { LeaseProfile } from "./lease/Lease.ts"
import * as LeaseKeeper from "./lease/LeaseKeeper.ts"
import { holderOf } from "./member/Member.ts"
import * as Membership from "./member/Membership.ts"
import type { NodeExit } from "./ports/NodeExit.ts"
import type { Provider } from "./ports/Provider.ts"
import type { Storage } from "./ports/Storage.ts"

export interface ControlPlaneConfig {
  /** The name of the node; no two live processes may have the same. */
  readonly id: string
  /** Where others reach its API. */
  readonly address: string
  /** Its share of the buckets, relative to the other nodes; positive. */
  readonly weight: number
  readonly profile: LeaseProfile
  /** The longest pause after repeated failures of one resource. */
  readonly backoffMillisMax: number
}

const work = (config: ControlPlaneConfig) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const keeper = yield* LeaseKeeper.LeaseKeeper
      const buckets = yield* BucketWork.make(config)
      yield* Effect.forkScoped(keeper.whileHeld(Leader.lease, Leader.work))
      yield* Effect.forkScoped(BucketOwner.run(buckets.serve))
    })
  )

/** The node without its API. */
export const layer = (config: ControlPlaneConfig): Layer.Layer<never, never, Storage | Provider | NodeExit> => {
  const membership = Membership.layer({
    id: config.id,
    address: config.address,
    weight: config.weight,
    liveMillis: config.profile.durationMillis
  })
  const keeper = Layer.unwrap(
    Effect.map(Membership.Membership, ({ self }) =>
      LeaseKeeper.layer({ holder: holderOf(self), profile: config.profile })
    )
  )
  return work(config).pipe(Layer.provide(keeper), Layer.provide(membership))
}
