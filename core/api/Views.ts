/** What the API shows: the documents of its answers. Times are microseconds of the database's clock. */
import * as Schema from "effect/Schema"
import { type Event, kinds } from "../event/Event.ts"
import { unstable } from "../fleet/unstable.ts"
import { type Fleet, type FleetStatus } from "../fleet/Fleet.ts"
import { type Instance, reasons, states } from "../instance/Instance.ts"
import {
  fleetDesiredMax,
  heartbeatUidsMax,
  hostCharsMax,
  keyOverlapSecondsMax,
  nameCharsMax,
  placementsPerAgentMax,
  reportCauseCharsMax
} from "../Limits.ts"
import { PrincipalName, Scope, vainVerb, Verb } from "../identity/Access.ts"
import { type ApiKey, hashPattern, idPattern } from "../identity/ApiKey.ts"
import { Observation, Spec } from "../ports/Provider.ts"
import { Line, nameExpected, Text } from "../ports/Text.ts"
import { ConditionView, conditionsOfFleet, conditionsOfInstance } from "./conditions.ts"
import type { Failing } from "../reconcile/Parking.ts"

/** Lower case letters, digits and inner hyphens, as in host names: it never holds a "/", which separates parts of ids. */
export const Name = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, { expected: nameExpected }),
  Schema.isMaxLength(nameCharsMax, { expected: nameExpected })
)

/** A field and what it is, for people: the OpenAPI document has it, and `stormglass explain` shows it. */
const said = <S extends Schema.Top>(schema: S, description: string, example?: S["Type"]): S["Rebuild"] =>
  schema.annotate({ description, ...(example === undefined ? {} : { examples: [example] }) })

const at = (what: string) => said(Schema.Int, `${what}, in microseconds since 1970 by the clock of the database`)
const atOrNever = (what: string) => said(Schema.NullOr(Schema.Int), `${what}, in microseconds since 1970; null: never`)

const uid = said(Schema.String, "Names the instance for all time", "web-0-43d263974474bf64")
const project = said(Schema.String, "The project that it belongs to", "shop")
const fleetOfInstance = said(
  Schema.NullOr(Schema.String),
  "The id of its fleet; null of an instance by itself",
  "shop/web"
)

export const HostName = Text.check(Schema.isNonEmpty(), Schema.isMaxLength(hostCharsMax))

export const Desired = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: fleetDesiredMax }))

/** How often in a row work on it failed, why, and since when nobody works on it any more; null where there is nothing to say. */
const failing = {
  failures: said(Schema.NullOr(Schema.Int), "How often in a row work on it failed; null: never", 3),
  failure: said(
    Schema.NullOr(Schema.String),
    "Why it failed last",
    "its start failed on agent a1: exited with code 1: out of memory"
  ),
  failedAt: atOrNever("When it failed last"),
  parkedAt: atOrNever("Since when nobody works on it any more, as it failed too often")
}
/** Not in what a watch tells: it follows from the rest. */
const conditions = Schema.optionalKey(
  said(Schema.Array(ConditionView), "What holds of it, as Kubernetes says it; not in what a watch tells")
)
const failingOf = ({ failedAt, failure, failures, parkedAt }: Failing): Failing => ({
  failures,
  failure,
  failedAt,
  parkedAt
})

export const FleetView = Schema.Struct({
  id: said(Schema.String, "Project and name", "shop/web"),
  project,
  name: said(Schema.String, "Unique in its project", "web"),
  desired: said(Schema.Int, "How many instances it shall have", 3),
  spec: Spec,
  generation: said(Schema.Int, "Counts the changes of what is wanted of it", 1),
  createdAt: at("When it was made"),
  deletionRequestedAt: atOrNever(
    "When its end was asked for: from then on it wants nothing, and leaves after its instances"
  ),
  pausedAt: atOrNever("Since when nothing is created or taken away for it"),
  ...failing,
  conditions,
  status: said(
    Schema.NullOr(
      Schema.Struct({
        observedGeneration: said(Schema.Int, "For which generation it was counted", 1),
        live: said(Schema.Int, "How many instances there are that are not on their way out", 3),
        running: said(Schema.Int, "How many of those run", 3),
        error: said(Schema.Int, "How many of those failed", 0),
        deleting: said(Schema.Int, "How many are on their way out", 0),
        parked: said(Schema.NullOr(Schema.Int), "How many of those that failed are not tried any more", 0)
      })
    ),
    "What the leader counted last; null until it has for the first time"
  )
}).annotate({ identifier: "Fleet", description: "So many instances of one kind" })
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

/** What a fleet shall be. */
export const FleetWanted = Schema.Struct({
  desired: said(Desired, "How many instances it shall have", 3),
  spec: Spec,
  paused: Schema.optionalKey(
    said(Schema.Boolean, "Whether nothing is created or taken away for it; left out: as it is", false)
  )
}).annotate({ identifier: "FleetWanted", description: "What a fleet shall be" })

/** What an instance by itself shall be. */
export const InstanceWanted = Schema.Struct({
  name: said(Name, "Its name, unique in its project", "box"),
  spec: Spec
}).annotate({ identifier: "InstanceWanted", description: "What an instance by itself shall be" })

export const InstanceView = Schema.Struct({
  uid,
  project,
  name: said(Schema.String, "Its name; unique in its project among those by themselves that are wanted", "web-0"),
  fleet: fleetOfInstance,
  ordinal: said(Schema.NullOr(Schema.Int), "Its place in the fleet, from 0", 0),
  spec: Spec,
  state: said(Schema.Literals(states), "Where it is between the wish for it and the proof that it is gone", "RUNNING"),
  reason: said(Schema.NullOr(Schema.Literals(reasons)), "Why it is in ERROR", "StartFailed"),
  revision: said(Schema.Int, "Counts its changes, but for heartbeats", 3),
  createdAt: at("When it was wished"),
  deletionRequestedAt: atOrNever("When its end was asked for"),
  agent: said(
    Schema.NullOr(Schema.String),
    "The agent that last spoke for it, in its present attempt; null until one does. That is no event of a watch: a document that a watch tells has the agent as of its own change",
    "a1"
  ),
  lastHeartbeatAt: atOrNever("When an agent last said that it runs"),
  ...failing,
  conditions
}).annotate({ identifier: "Instance", description: "One thing that runs: a process, a container, a machine" })
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
  agent: instance.agent,
  lastHeartbeatAt: instance.lastHeartbeatAt,
  ...failingOf(instance),
  conditions: conditionsOfInstance(instance)
})

/** What is parked: a fleet, or an instance. */
export const DeadLetterView = Schema.Struct({
  kind: said(Schema.Literals(["fleet", "instance"]), "What it is", "instance"),
  id: said(Schema.String, "The id of a fleet, the uid of an instance", "web-0-43d263974474bf64"),
  project,
  name: said(Schema.String, "Its name", "web-0"),
  fleet: fleetOfInstance,
  failures: said(Schema.Int, "How often in a row work on it failed", 8),
  failure: said(Schema.String, "Why it failed last", "its start failed on agent a1: exited with code 1: out of memory"),
  failedAt: atOrNever("When it failed last"),
  parkedAt: at("Since when nobody works on it any more")
}).annotate({
  identifier: "DeadLetter",
  description: "What failed too often and is not tried any more, until it is redriven"
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
  project,
  fleetsMax: said(QuotaMax, "How many fleets it may have; null: as many as it likes", 10),
  instancesMax: said(QuotaMax, "How many instances it may want; null: as many as it likes", 100),
  used: said(
    Schema.Struct({ fleets: Schema.Int, instances: Schema.Int }),
    "What is wanted: the desired number of each fleet, and each instance by itself"
  )
}).annotate({ identifier: "Quota", description: "How much a project may want, and what of it is used" })

export const MemberView = Schema.Struct({
  id: said(Schema.String, "The name of the node", "n1"),
  address: said(Schema.String, "Where others reach it", "http://n1:8081"),
  incarnation: said(Schema.Int, "Which process of that name it is, counted by the store", 1),
  weight: said(Schema.Int, "Its share of the work, relative to the others; 0: it serves the API alone", 1),
  joinedAt: at("When it joined"),
  seenAt: at("When it last said that it lives"),
  leavingAt: atOrNever("When it said that it leaves")
}).annotate({ identifier: "Member", description: "A node of the control plane" })

export const LeaseView = Schema.Struct({
  key: said(Schema.String, "What it is for: the leader, or a group of buckets", "leader"),
  holder: said(Schema.String, "Who holds it: a node and its incarnation", "n1/1"),
  epoch: said(Schema.Int, "Rises by one with each acquisition; an older one writes nothing", 1),
  acquiredAt: at("When it was acquired"),
  renewedAt: at("When it was last renewed"),
  expiresAt: at("When another may acquire it"),
  releasedAt: atOrNever("When it was released")
}).annotate({ identifier: "Lease", description: "The right to do some work, for a while" })

export const BucketsView = Schema.Struct({
  group: said(Schema.Int, "Which group of buckets it is, from 0", 0),
  firstBucket: said(Schema.Int, "The first of its buckets", 0),
  lastBucket: said(Schema.Int, "The last of its buckets", 31),
  lease: said(Schema.String, "The lease under which it is owned", "buckets/0"),
  holder: said(Schema.NullOr(Schema.String), "Who works on it: a node and its incarnation; null: nobody", "n1/1"),
  epoch: said(Schema.NullOr(Schema.Int), "The epoch of that lease; null while it was never held", 1),
  expiresAt: said(
    Schema.NullOr(Schema.Int),
    "When another may acquire it, in microseconds since 1970; null while it was never held"
  )
}).annotate({ identifier: "Buckets", description: "A group of buckets, which one node owns at a time" })
export type BucketsView = typeof BucketsView.Type

export const ProjectView = Schema.Struct({
  name: said(Schema.String, "Its name", "shop"),
  fleetsMax: said(QuotaMax, "How many fleets it may have; null: as many as it likes", 10),
  instancesMax: said(QuotaMax, "How many instances it may want; null: as many as it likes", 100)
}).annotate({ identifier: "Project", description: "A name that has a fleet, an instance or a quota" })
export type ProjectView = typeof ProjectView.Type

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
  id: said(Schema.String, "Its name", "a1"),
  incarnation: said(Schema.Int, "Which process of that name is believed", 1),
  registeredAt: at("When that process came"),
  host: said(Schema.NullOr(Schema.String), "Where it runs", "worker-1"),
  process: said(Schema.NullOr(Schema.String), "How that process calls itself"),
  heardAt: atOrNever("When it last asked for work")
}).annotate({ identifier: "Agent", description: "Runs instances on a host" })

/** What an agent says of one placement. */
const Report = Schema.Struct({
  uid: Text,
  attempt: Schema.Int,
  observation: Observation,
  cause: Schema.optionalKey(
    said(
      Line.check(Schema.isMaxLength(reportCauseCharsMax)),
      "How what has failed ended; only to a node that says it takes it: `report-cause` is among its features",
      "exited with code 1: out of memory"
    )
  )
})

/** What an agent says of its placements, as which incarnation of itself. */
export const Exchange = Schema.Struct({
  incarnation: Schema.Int,
  reports: Schema.Array(Report).check(Schema.isMaxLength(placementsPerAgentMax))
})

/** An older node says nothing of it. */
export const Features = Schema.optionalKey(
  said(Schema.Array(Schema.String), "What this node takes in reports beyond what each one does", ["report-cause"])
)

/** `unknown`: instances that nobody wants any more, or that a later incarnation of the agent speaks for; the agent may end them. */
export const BeatAnswer = Schema.Struct({ unknown: Schema.Array(Schema.String) })

/** The id of an API key: 16 hexadecimal digits, as in "sg_<id>_<secret>". */
export const KeyId = Schema.String.check(Schema.isPattern(idPattern, { expected: "16 hexadecimal digits" }))
const KeyHash = Schema.String.check(
  Schema.isPattern(hashPattern, { expected: "the SHA-256 of the secret in 64 hexadecimal digits" })
)

const Verbs = Schema.Array(Verb).check(Schema.isMinLength(1))

/** What a key shall be; `hash` is the SHA-256 of its secret, in hexadecimal: the secret stays with whoever made it. */
export const KeyWanted = Schema.Struct({
  principal: PrincipalName,
  verbs: Verbs,
  projects: Scope,
  hash: KeyHash,
  expiresInSeconds: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 * 366 * 86_400 })))
}).check(
  Schema.makeFilter(
    ({ projects, verbs }: { readonly projects: typeof Scope.Type; readonly verbs: typeof Verbs.Type }) => {
      const issue = vainVerb(verbs, projects)
      return issue === undefined ? undefined : { path: ["projects"], issue }
    }
  )
)
export type KeyWanted = typeof KeyWanted.Type

/** The key that follows, and for how long the old one works on beside it. */
export const KeyRotation = Schema.Struct({
  id: KeyId,
  hash: KeyHash,
  overlapSeconds: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: keyOverlapSecondsMax }))
})

export const KeyView = Schema.Struct({
  id: said(Schema.String, "Its public part", "0123456789abcdef"),
  principal: said(Schema.String, "Who comes with it", "ci"),
  verbs: said(Schema.Array(Verb), "What may be done with it"),
  projects: said(Schema.Array(Schema.String), "In which projects; * for all, and for what belongs to none"),
  createdAt: at("When it was made"),
  expiresAt: atOrNever("When it ends"),
  revokedAt: atOrNever("When it was revoked")
}).annotate({ identifier: "Key", description: "An API key, without its secret" })
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

export const OperationView = Schema.Struct({
  id: said(Schema.String, "Names it, in the audit log as well"),
  at: at("When it was done"),
  principal: said(Schema.String, "By whom", "ci"),
  action: said(Schema.String, "What was asked for", "fleets/put"),
  path: said(Schema.String, "The path of the request", "/v1/projects/shop/fleets/web"),
  requestId: said(Schema.String, "Its idempotency key"),
  status: said(Schema.Int, "The status of the answer", 200),
  revision: said(Schema.NullOr(Schema.Int), "The generation or revision that it made", 1)
}).annotate({ identifier: "Operation", description: "A request that was to change something, and how it was answered" })
export type OperationView = typeof OperationView.Type

export const EventView = Schema.Struct({
  id: said(Schema.String, "Names it"),
  at: at("When it happened"),
  project,
  fleet: said(
    Schema.NullOr(Schema.String),
    "The id of the fleet that it is about, or that the instance is of; null of an instance by itself",
    "shop/web"
  ),
  instance: said(
    Schema.NullOr(Schema.String),
    "The uid of the instance that it is about; null where it is about a fleet",
    "web-0-43d263974474bf64"
  ),
  kind: said(Schema.Literals(kinds), "What happened", "Vanished"),
  detail: said(Schema.String, "Why, or what of it, in a few words for people", "it ran, and is gone")
}).annotate({ identifier: "Event", description: "Something that happened to a fleet or to an instance" })
export type EventView = typeof EventView.Type

export const eventView = ({ at, detail, fleet, id, instance, kind, project }: Event): EventView => ({
  id,
  at,
  project,
  fleet,
  instance,
  kind,
  detail
})

export const AuditView = Schema.Struct({
  seq: said(Schema.Int, "Its place in the log, from 1", 1),
  id: said(Schema.String, "Names the entry"),
  at: at("When it was done"),
  principal: said(Schema.String, "By whom", "ci"),
  keyId: said(Schema.NullOr(Schema.String), "With which API key; null for other credentials"),
  action: said(Schema.String, "What was asked for", "fleets/put"),
  project: said(Schema.String, "In which project; empty where it belongs to none", "shop"),
  path: said(Schema.String, "The path of the request", "/v1/projects/shop/fleets/web"),
  requestId: said(Schema.String, "Its idempotency key"),
  status: said(Schema.Int, "The status of the answer", 200),
  revision: said(Schema.NullOr(Schema.Int), "The generation or revision that it made", 1),
  previousHash: said(Schema.String, "The hash of the entry before"),
  hash: said(Schema.String, "SHA-256 of this entry and of the hash before")
}).annotate({ identifier: "AuditEntry", description: "Something that was done, in a chain of hashes" })
