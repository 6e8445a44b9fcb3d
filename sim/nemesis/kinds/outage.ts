/**
 * Suspensions and silences that last longer than leases and time limits do, alone and together. Kinds of this file only draw: what is in
 * their plans are faults of the usual names.
 */
import type { Draw } from "../Draw.ts"
import type { FaultKind, SwarmContext } from "../FaultKind.ts"
import type { Fault } from "../FaultPlan.ts"
import * as network from "./network.ts"
import { moments, pause, roughly, victimTag } from "./process.ts"

/** `area` names them, and with that what is drawn of a seed; `server` is the node that processes cannot do without. */
export const outages = (area: string, server: string): ReadonlyArray<FaultKind> => [
  /** A virtual machine that is suspended: often for longer than locks of shards last (35 s by default). */
  {
    ...pause,
    name: `${area}/long-pause`,
    draw: (draw, context) =>
      moments(draw, context, 3, (own) => ({
        target: `random(${victimTag})`,
        fault: pause.name,
        for: roughly(own, 500_000, 90_000_000)
      }))
  },
  {
    ...network.partition,
    name: `${area}/silence`,
    draw: (draw, context) => moments(draw, context, 3, (own) => silence(context, own, server))
  },
  /** A process that wakes while its connections do not answer yet, as after the live migration of a virtual machine. */
  {
    ...pause,
    name: `${area}/waking-alone`,
    draw: (draw, context) => {
      const own = draw.child("alone")
      const target = own.pick("target", context.world.tagged(victimTag))
      const [paused] = moments(own, context, 1, (drawn) => ({
        target,
        fault: pause.name,
        for: roughly(drawn, 20_000_000, 60_000_000)
      }))
      const silent = roughly(own, 40_000_000, 90_000_000)
      return [paused!, { ...paused!, with: server, fault: network.partition.name, for: silent }]
    }
  }
]

/** A connection on which nothing arrives any more and nothing is refused, for long: a lost route, a full table of a firewall. */
function silence(context: SwarmContext, own: Draw, server: string): Omit<Fault, "when"> {
  return {
    target: own.pick("target", context.world.tagged(victimTag)),
    with: own.pick("with", [server, `random(${victimTag})`]),
    fault: own.pick("fault", ["network/partition", "network/partition-one-way"]),
    for: roughly(own, 5_000_000, 90_000_000)
  }
}
