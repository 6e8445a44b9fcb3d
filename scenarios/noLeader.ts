import * as Leader from "../core/Leader.ts"
import { leases } from "../core/ports/Storage.ts"
import { epochMicros } from "../sim/kernel/NodeClock.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const centuryMicros = 100 * 365 * 86_400 * 1_000_000

// covers A17
export const noLeader = make({
  name: "lease/no-leader-at-all",
  story: `Nobody can lead: the leader's lease is held, for a century, by somebody who is not there. Work on buckets does not need a
leader: what is wanted is started all the same, through kills and restarts.`,
  direct: (_world, { database }) => {
    database.place("squatter", leases, {
      key: Leader.lease,
      holder: "nobody/1",
      epoch: 1,
      acquiredAt: epochMicros,
      renewedAt: epochMicros,
      expiresAt: epochMicros + centuryMicros,
      releasedAt: null
    })
  },
  // Without a leader nobody is counted, and nobody is given up for silence.
  converged:
    ({ missing }) =>
    () =>
      missing().find((line) => !line.startsWith(`lease ${Leader.lease}:`) && !line.endsWith("not counted since")) ??
      true,
  faults: (draw) =>
    plan(
      ...repeated(draw, {
        times: [1, 4],
        withinMillis: 50_000,
        forMillis: [500, 10_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      })
    )
})
