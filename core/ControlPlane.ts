/**
 * Everything that one node of the control plane runs, composed once. It needs only ports.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as BucketOwner from "./bucket/BucketOwner.ts"
import type { LeaseProfile } from "./lease/Lease.ts"
import * as LeaseKeeper from "./lease/LeaseKeeper.ts"
import { holderOf } from "./member/Member.ts"
import * as Membership from "./member/Membership.ts"
import type { NodeExit } from "./ports/NodeExit.ts"
import type { Storage } from "./ports/Storage.ts"

export const leaderLease = "leader"

export interface ControlPlaneConfig {
  /** The name of the node; no two live processes may have the same. */
  readonly id: string
  /** Where others reach its API. */
  readonly address: string
  readonly weight: number
  readonly profile: LeaseProfile
}

const work = Layer.effectDiscard(
  Effect.gen(function* () {
    const keeper = yield* LeaseKeeper.LeaseKeeper
    yield* Effect.forkScoped(keeper.whileHeld(leaderLease, () => Effect.never))
    yield* Effect.forkScoped(BucketOwner.run(() => Effect.never))
  })
)

export const layer = (config: ControlPlaneConfig): Layer.Layer<never, never, Storage | NodeExit> => {
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
  return work.pipe(Layer.provide(keeper), Layer.provide(membership))
}
