/** Every invariant of the control plane. */
import { accessScoped } from "./accessScoped.ts"
import { acknowledgedIsDone } from "./acknowledgedIsDone.ts"
import { acknowledgedWrites } from "./acknowledgedWrites.ts"
import { auditChained } from "./auditChained.ts"
import { bucketPlacement } from "./bucketPlacement.ts"
import { deletionByUid } from "./deletionByUid.ts"
import { effectsUnderLease } from "./effectsUnderLease.ts"
import { eventsTold } from "./eventsTold.ts"
import { fencedWrites } from "./fencedWrites.ts"
import { fleetCount } from "./fleetCount.ts"
import { handshakesBounded } from "./handshakesBounded.ts"
import { heartbeatBrake } from "./heartbeatBrake.ts"
import { heartbeatByReceiver } from "./heartbeatByReceiver.ts"
import { idempotencyOnce } from "./idempotencyOnce.ts"
import { instanceStates } from "./instanceStates.ts"
import { type Check, toCheck } from "./Invariant.ts"
import { leaseExclusion } from "./leaseExclusion.ts"
import { leaseFencing } from "./leaseFencing.ts"
import { leaseOverrun } from "./leaseOverrun.ts"
import { leaseRows } from "./leaseRows.ts"
import { leasesLinearizable } from "./leasesLinearizable.ts"
import { memberIncarnations } from "./memberIncarnations.ts"
import { noPanic } from "./noPanic.ts"
import { outsideOwned } from "./outsideOwned.ts"
import { parkedUntouched } from "./parkedUntouched.ts"
import { pausedUntouched } from "./pausedUntouched.ts"
import { placementOwned } from "./placementOwned.ts"
import { turnsLimited } from "./turnsLimited.ts"
import { quotaKept } from "./quotaKept.ts"
import { workBounded } from "./workBounded.ts"

export const all: ReadonlyArray<Check> = [
  toCheck(leaseExclusion),
  toCheck(leaseFencing),
  toCheck(leaseOverrun),
  toCheck(leaseRows),
  leasesLinearizable,
  toCheck(memberIncarnations),
  toCheck(fencedWrites),
  toCheck(bucketPlacement),
  toCheck(idempotencyOnce()),
  toCheck(acknowledgedWrites),
  toCheck(acknowledgedIsDone),
  toCheck(instanceStates),
  toCheck(outsideOwned),
  toCheck(placementOwned),
  toCheck(fleetCount),
  toCheck(pausedUntouched),
  toCheck(parkedUntouched()),
  toCheck(deletionByUid),
  toCheck(effectsUnderLease),
  toCheck(heartbeatBrake),
  toCheck(heartbeatByReceiver),
  toCheck(workBounded),
  toCheck(handshakesBounded),
  toCheck(accessScoped),
  toCheck(turnsLimited),
  toCheck(auditChained),
  toCheck(quotaKept),
  toCheck(eventsTold),
  toCheck(noPanic)
]
