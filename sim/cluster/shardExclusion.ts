/**
 * `lease-exclusion` for shards, whose holder is an address: a runner that has died acts no more, and another at its address may take its
 * shards at once.
 */
import { leaseExclusion } from "../../core/invariants/leaseExclusion.ts"
import type { Invariant } from "../../core/invariants/Invariant.ts"

type State = typeof leaseExclusion extends Invariant<infer S> ? S : never

export const shardExclusion: Invariant<State> = {
  ...leaseExclusion,
  name: "shard-exclusion",
  states: "At most one living runner acts under the lease of a shard at a time, and none longer than its row lasts.",
  step: (state, envelope) => {
    const { fact, incarnation, node } = envelope
    if (fact._tag !== "NodeCrashed" && fact._tag !== "NodeExited") return leaseExclusion.step(state, envelope)
    for (const [lease, { process }] of state.claims) {
      if (process === `${node}/${incarnation}`) state.claims.delete(lease)
    }
    return state
  }
}
