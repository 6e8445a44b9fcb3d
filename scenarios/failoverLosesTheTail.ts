import { bucketPlacement } from "../core/invariants/bucketPlacement.ts"
import { effectsUnderLease } from "../core/invariants/effectsUnderLease.ts"
import { heartbeatBrake } from "../core/invariants/heartbeatBrake.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { leaseOverrun } from "../core/invariants/leaseOverrun.ts"
import { noPanic } from "../core/invariants/noPanic.ts"
import { workBounded } from "../core/invariants/workBounded.ts"
import { answeredInTime } from "./answeredInTime.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const failoverLosesTheTail = make({
  name: "storage/failover-loses-the-tail",
  story: `The database dies and a replica takes over that has not heard of the last commits, up to five seconds of them. What was promised
on those commits is void, and no system that keeps its promises in one database could keep them: an epoch is given out a second time and the
fence of the first holder holds again; answers tell of what is not there, and their keys are free; a resource whose row was lost runs on without an
owner; what was removed is wanted again. Nobody panics over it, works outside of what he believes to hold, or works for ever, and once the
faults are over everything is as the rows that are left want it.`,
  // The others judge the history of rows, which has a gap now: what became of epochs, incarnations, keys and uids, and by whom.
  invariants: [
    toCheck(leaseOverrun),
    toCheck(bucketPlacement),
    toCheck(effectsUnderLease),
    toCheck(heartbeatBrake),
    toCheck(workBounded),
    toCheck(noPanic)
  ],
  // Not that answers agree, nor that what was written is read.
  answers: [toCheck(answeredInTime)],
  faults: (draw) =>
    plan(
      ...repeated(draw, {
        times: [1, 3],
        withinMillis: 55_000,
        forMillis: [100, 8_000],
        fault: (own) => ({
          target: "database",
          fault: "storage/failover",
          parameters: { millis: Math.round(own.logarithmic("millis", 1, 5_000)) }
        })
      })
    )
})
