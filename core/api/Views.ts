/** What the API shows: the documents of its answers. Times are microseconds of the database's clock. */
import * as Schema from "effect/Schema"
import { unstable } from "../fleet/unstable.ts"
import { type Fleet, type FleetStatus } from "../fleet/Fleet.ts"
import { type Instance, reasons, states } from "../instance/Instance.ts"
import {
  fleetDesiredMax,
  heartbeatUidsMax,
  hostCharsMax,
  keyOverlapSecondsMax,
  nameCharsMax,
  placementsPerAgentMax
} from "../Limits.ts"
import { PrincipalName, Scope, Verb } from "../identity/Access.ts"
import { type ApiKey, hashPattern, idPattern } from "../identity/ApiKey.ts"
import { Observation, Spec } from "../ports/Provider.ts"
import { Text } from "../ports/Text.ts"
import { ConditionView, conditionsOfFleet, conditionsOfInstance } from "./conditions.ts"
import type { Failing } from "../reconcile/Parking.ts"

/** Lower case letters, digits and inner hyphens, as in host names: it never holds a "/", which separates parts of ids. */
export const Name = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/),
  Schema.isMaxLength(nameCharsMax)
)

export const HostName = Text.check(Schema.isNonEmpty(), Schema.isMaxLength(hostCharsMax))

export const Desired = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: fleetDesiredMax }))

/** How often in a row work on it failed, why, and since when nobody works on it any more; null where there is nothing to say. */
const failing = {
  failures: Schema.NullOr(Schema.Int),
  failure: Schema.NullOr(Schema.String),
  failedAt: Schema.NullOr(Schema.Int),
  parkedAt: Schema.NullOr(Schema.Int)
}
/** Not in what a watch tells: it follows from the rest. */
const conditions = Schema.optionalKey(Schema.Array(ConditionView))
const failingOf = ({ failedAt, failure, failures, parkedAt }: Failing): Failing => ({
  failures,
  failure,
  failedAt,
  parkedAt
})

export const FleetView = Schema.Struct({
  id: Schema.String,
  project: Schema.String,
  name: Schema.String,
  desired: Schema.Int,
  spec: Spec,
  generation: Schema.Int,
  createdAt: Schema.Int,
  /** From then on it wants nothing, and leaves when the last of its instances has. */
  deletionRequestedAt: Schema.NullOr(Schema.Int),
  /** Since when nothing is created or taken away for it; null while it is worked on. */
  pausedAt: Schema.NullOr(Schema.Int),
  ...failing,
  conditions,
  /** Null until the leader has counted for the first time. */
  status: Schema.NullOr(
    Schema.Struct({
      observedGeneration: Schema.Int,
      live: Schema.Int,
      running: Schema.Int,
      error: Schema.Int,
      deleting: Schema.Int,
      /** Of those that failed, what is not tried any more. */
      parked: Schema.NullOr(Schema.Int)
    })
  )
})
export type FleetView = typeof FleetView.Type

export const fleetView = (fleet: Fleet, counted: FleetStatus | undefined): FleetView => {
  // That of an earlier fleet of this name has not been counted since.
  const status = counted === undefined || counted.updatedAt < fleet.createdAt ? undefined : counted
  const view = fleetViewOf(fleet, status)
  return { ...view, conditions: conditionsOfFleet(fleet, status, unstable(view)) }
}

const fleetViewOf = (fleet: Fleet, status: FleetStatus | undefined) => ({
  id: fleet.id,
  project: fleet.project,
  name: fleet.name,
  desired: fleet.desired,
  spec: fleet.spec,
  generation: fleet.generation,
  createdAt: fleet.createdAt,
  deletionRequestedAt: fleet.deletionRequestedAt,
  pausedAt: fleet.pausedAt,
  ...failingOf(fleet),
  status:
    status === undefined
      ? null
      : {
          observedGeneration: status.observedGeneration,
          live: status.live,
          running: status.running,
          error: status.error,
          deleting: status.deleting,
          parked: status.parked
        }
})

export const InstanceView = Schema.Struct({
  uid: Schema.String,
  project: Schema.String,
  name: Schema.String,
  fleet: Schema.NullOr(Schema.String),
  ordinal: Schema.NullOr(Schema.Int),
  spec: Spec,
  state: Schema.Literals(states),
  reason: Schema.NullOr(Schema.Literals(reasons)),
  revision: Schema.Int,
  createdAt: Schema.Int,
  deletionRequestedAt: Schema.NullOr(Schema.Int),
  lastHeartbeatAt: Schema.NullOr(Schema.Int),
  ...failing,
  conditions
})
export type InstanceView = typeof InstanceView.Type

export const instanceView = (instance: Instance): InstanceView => ({
  uid: instance.uid,
  project: instance.project,
  name: instance.name,
  fleet: instance.fleet,
  ordinal: instance.ordinal,
  spec: instance.spec,
  state: instance.state,
  reason: instance.reason,
  revision: instance.revision,
  createdAt: instance.createdAt,
  deletionRequestedAt: instance.deletionRequestedAt,
  lastHeartbeatAt: instance.lastHeartbeatAt,
  ...failingOf(instance),
  conditions: conditionsOfInstance(instance)
})

/** What is parked: a fleet, or an instance. */
export const DeadLetterView = Schema.Struct({
  kind: Schema.Literals(["fleet", "instance"]),
  /** The id of a fleet, the uid of an instance. */
  id: Schema.String,
  project: Schema.String,
  name: Schema.String,
  /** The id of the fleet that an instance belongs to. */
  fleet: Schema.NullOr(Schema.String),
  failures: Schema.Int,
  failure: Schema.String,
  failedAt: Schema.NullOr(Schema.Int),
  parkedAt: Schema.Int
})
export type DeadLetterView = typeof DeadLetterView.Type

/** Of a row that is parked. */
export const deadLetterView = (row: Fleet | Instance): DeadLetterView => ({
  ...("uid" in row ? { kind: "instance", id: row.uid, fleet: row.fleet } : { kind: "fleet", id: row.id, fleet: null }),
  project: row.project,
  name: row.name,
  failures: row.failures ?? 0,
  failure: row.failure ?? "",
  failedAt: row.failedAt,
  parkedAt: row.parkedAt!
})

/** Null: as many as it likes. */
const QuotaMax = Schema.NullOr(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))

export const QuotaWanted = Schema.Struct({ fleetsMax: QuotaMax, instancesMax: QuotaMax })

/** What is used is what is wanted: the desired number of each fleet, and each instance by itself. */
export const QuotaView = Schema.Struct({
  project: Schema.String,
  fleetsMax: QuotaMax,
  instancesMax: QuotaMax,
  used: Schema.Struct({ fleets: Schema.Int, instances: Schema.Int })
})

export const MemberView = Schema.Struct({
  id: Schema.String,
  address: Schema.String,
  incarnation: Schema.Int,
  weight: Schema.Int,
  joinedAt: Schema.Int,
  seenAt: Schema.Int,
  leavingAt: Schema.NullOr(Schema.Int)
})

export const LeaseView = Schema.Struct({
  key: Schema.String,
  holder: Schema.String,
  epoch: Schema.Int,
  acquiredAt: Schema.Int,
  renewedAt: Schema.Int,
  expiresAt: Schema.Int,
  releasedAt: Schema.NullOr(Schema.Int)
})

/** What an agent says: which instances it runs, as which incarnation of itself. */
export const Beat = Schema.Struct({
  incarnation: Schema.Int,
  uids: Schema.Array(Text).check(Schema.isMaxLength(heartbeatUidsMax))
})

/** What is to run, or to stop, on an agent; `observed` is what it is believed to have said last. */
export const PlacementView = Schema.Struct({
  uid: Schema.String,
  attempt: Schema.Int,
  spec: Spec,
  wanted: Schema.Literals(["run", "stop"]),
  observed: Schema.NullOr(Observation)
})

export const AgentView = Schema.Struct({
  id: Schema.String,
  incarnation: Schema.Int,
  registeredAt: Schema.Int,
  host: Schema.NullOr(Schema.String),
  process: Schema.NullOr(Schema.String),
  heardAt: Schema.NullOr(Schema.Int)
})

/** What an agent says of its placements, as which incarnation of itself. */
export const Exchange = Schema.Struct({
  incarnation: Schema.Int,
  reports: Schema.Array(Schema.Struct({ uid: Text, attempt: Schema.Int, observation: Observation })).check(
    Schema.isMaxLength(placementsPerAgentMax)
  )
})

/** `unknown`: instances that nobody wants any more, or that a later incarnation of the agent speaks for; the agent may end them. */
export const BeatAnswer = Schema.Struct({ unknown: Schema.Array(Schema.String) })

/** The id of an API key: 16 hexadecimal digits, as in "sg_<id>_<secret>". */
export const KeyId = Schema.String.check(Schema.isPattern(idPattern))
const KeyHash = Schema.String.check(Schema.isPattern(hashPattern))

/** What a key shall be; `hash` is the SHA-256 of its secret, in hexadecimal: the secret stays with whoever made it. */
export const KeyWanted = Schema.Struct({
  principal: PrincipalName,
  verbs: Schema.Array(Verb).check(Schema.isMinLength(1)),
  projects: Scope,
  hash: KeyHash,
  expiresInSeconds: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 * 366 * 86_400 })))
})
export type KeyWanted = typeof KeyWanted.Type

/** The key that follows, and for how long the old one works on beside it. */
export const KeyRotation = Schema.Struct({
  id: KeyId,
  hash: KeyHash,
  overlapSeconds: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: keyOverlapSecondsMax }))
})

export const KeyView = Schema.Struct({
  id: Schema.String,
  principal: Schema.String,
  verbs: Schema.Array(Verb),
  projects: Schema.Array(Schema.String),
  createdAt: Schema.Int,
  expiresAt: Schema.NullOr(Schema.Int),
  revokedAt: Schema.NullOr(Schema.Int)
})
export type KeyView = typeof KeyView.Type

/** Without its hash, which is nobody's business. */
export const keyView = (key: ApiKey): KeyView => ({
  id: key.id,
  principal: key.principal,
  verbs: key.verbs,
  projects: key.projects,
  createdAt: key.createdAt,
  expiresAt: key.expiresAt,
  revokedAt: key.revokedAt
})

export const AuditView = Schema.Struct({
  seq: Schema.Int,
  id: Schema.String,
  at: Schema.Int,
  principal: Schema.String,
  keyId: Schema.NullOr(Schema.String),
  action: Schema.String,
  project: Schema.String,
  path: Schema.String,
  requestId: Schema.String,
  status: Schema.Int,
  revision: Schema.NullOr(Schema.Int),
  previousHash: Schema.String,
  hash: Schema.String
})
