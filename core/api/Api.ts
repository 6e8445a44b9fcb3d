/** The HTTP API of the control plane: what can be asked, and what is answered. Shared by server and clients. */
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import { states } from "../instance/Instance.ts"
import { auditPageMax, listRowsMax } from "../Limits.ts"
import { Text } from "../ports/Text.ts"
import { Access } from "../identity/Access.ts"
import { Authorized } from "./Authorized.ts"
import { waiting } from "./untilStable.ts"
import { Readable } from "./Readable.ts"
import { WellFormed } from "./WellFormed.ts"
import {
  BadRequest,
  Compacted,
  Conflict,
  InProgress,
  KeyReused,
  NotFound,
  Unavailable,
  PreconditionFailed,
  QuotaExceeded
} from "./ApiErrors.ts"
import {
  AgentView,
  AuditView,
  Beat,
  BeatAnswer,
  BucketsView,
  DeadLetterView,
  EventView,
  Exchange,
  Features,
  FleetView,
  FleetWanted,
  InstanceView,
  InstanceWanted,
  KeyId,
  KeyRotation,
  KeyView,
  KeyWanted,
  LeaseView,
  MemberView,
  Name,
  OperationView,
  PlacementView,
  ProjectView,
  QuotaView,
  QuotaWanted,
  HostName
} from "./Views.ts"

/** Of a request that changes something. Both spellings name one key. */
const mutation = {
  "x-idempotency-key": Schema.optional(Text),
  "idempotency-key": Schema.optional(Text)
}
/** Only what is still of the version that the caller has seen is changed; see `core/api/etag.ts`. */
const conditional = { ...mutation, "if-match": Schema.optional(Text) }
/** `dryRun=true`: everything is checked and decided, and nothing is kept, not even the idempotency key, which may be left out. */
const trying = { dryRun: Schema.optional(Schema.Literals(["true", "false"])) }
const refusals = [
  BadRequest,
  QuotaExceeded,
  NotFound,
  Conflict,
  InProgress,
  PreconditionFailed,
  KeyReused,
  Unavailable
] as const

/**
 * Of a list: how many at most, where to go on, and which members of each item to show: "name,state". Whoever names them reads the JSON, as
 * what is answered is then not the whole document.
 */
const pagingOf = <F extends Schema.Struct.Fields>(item: Schema.Struct<F>) => ({
  limit: Schema.optional(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: listRowsMax }))
  ),
  after: Schema.optional(Text),
  fields: Schema.optional(fieldsOf(item))
})

const fieldsOf = <F extends Schema.Struct.Fields>({ fields }: Schema.Struct<F>) => {
  const known = Object.keys(fields)
  return Text.check(
    Schema.makeFilter((text: string) => text.split(",").every((name) => known.includes(name)), {
      expected: `any of ${known.join(", ")}, separated by commas`
    })
  )
}

/** `next` is the `after` of the page that follows; `revision` a token that a watch goes on after. Both are null of a list in one page: a revision costs a statement more. */
const pageOf = <S extends Schema.Top>(item: S) =>
  Schema.Struct({
    items: Schema.Array(item),
    next: Schema.NullOr(Schema.String),
    revision: Schema.NullOr(Schema.String)
  })

/** What an endpoint does, for people: the OpenAPI document has it, and the test of that document misses it. */
const does = (summary: string, description?: string) =>
  OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) })

export class FleetsGroup extends HttpApiGroup.make("fleets")
  .add(
    HttpApiEndpoint.put("put", "/projects/:project/fleets/:name", {
      params: { project: Name, name: Name },
      /** `if-none-match: *` creates the fleet and changes none. */
      headers: { ...conditional, "if-none-match": Schema.optional(Text) },
      /** With `wait=stable` 202 says that the time was over first. */
      query: { ...trying, ...waiting },
      /** Without `paused` a fleet stays as it is, and a new one is not. */
      payload: FleetWanted,
      success: [FleetView, FleetView.pipe(HttpApiSchema.status(201)), FleetView.pipe(HttpApiSchema.status(202))],
      error: refusals
    })
      .annotate(Access, { verb: "write", of: "project" })
      .annotateMerge(
        does(
          "Create a fleet or set what it shall be",
          "The same again changes nothing. With `wait=stable` the answer comes when the fleet is as wanted, or with 202 when `waitSeconds` are over. The spec of a fleet never changes."
        )
      ),
    HttpApiEndpoint.get("get", "/projects/:project/fleets/:name", {
      params: { project: Name, name: Name },
      query: waiting,
      success: [FleetView, FleetView.pipe(HttpApiSchema.status(202))],
      error: [NotFound, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(
        does(
          "One fleet, with what was counted of it last",
          "With `wait=stable` the answer comes when the fleet is as wanted, or with 202 when `waitSeconds` are over."
        )
      ),
    HttpApiEndpoint.delete("delete", "/projects/:project/fleets/:name", {
      params: { project: Name, name: Name },
      headers: conditional,
      query: trying,
      success: FleetView.pipe(HttpApiSchema.status(202)),
      error: refusals
    })
      .annotate(Access, { verb: "write", of: "project" })
      .annotateMerge(
        does("Ask for the end of a fleet and of its instances", "It is there until the last of its instances is gone.")
      ),
    /** A new try for the fleet and its instances where they are parked. */
    HttpApiEndpoint.post("redrive", "/projects/:project/fleets/:name/redrive", {
      params: { project: Name, name: Name },
      headers: conditional,
      query: trying,
      success: [FleetView, FleetView.pipe(HttpApiSchema.status(202))],
      error: refusals
    })
      .annotate(Access, { verb: "write", of: "project" })
      .annotateMerge(does("Try a fleet and its instances again where they are parked")),
    HttpApiEndpoint.get("list", "/projects/:project/fleets", {
      params: { project: Name },
      query: pagingOf(FleetView),
      success: pageOf(FleetView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(does("The fleets of a project"))
  )
  .prefix("/v1") {}

export class InstancesGroup extends HttpApiGroup.make("instances")
  .add(
    HttpApiEndpoint.post("create", "/projects/:project/instances", {
      params: { project: Name },
      headers: mutation,
      query: trying,
      payload: InstanceWanted,
      success: [InstanceView, InstanceView.pipe(HttpApiSchema.status(202))],
      error: refusals
    })
      .annotate(Access, { verb: "write", of: "project" })
      .annotateMerge(does("Ask for an instance by itself", "It belongs to no fleet, and is not replaced.")),
    HttpApiEndpoint.get("list", "/projects/:project/instances", {
      params: { project: Name },
      query: {
        ...pagingOf(InstanceView),
        state: Schema.optional(Schema.Literals(states)),
        /** The name of a fleet. */
        fleet: Schema.optional(Name)
      },
      success: pageOf(InstanceView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(
        does(
          "The instances of a project",
          "Those of all its fleets and those by themselves; `state` and `fleet` choose among them."
        )
      ),
    HttpApiEndpoint.get("get", "/instances/:uid", {
      params: { uid: Text },
      success: InstanceView,
      error: [NotFound, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "instance" })
      .annotateMerge(does("One instance")),
    HttpApiEndpoint.delete("delete", "/instances/:uid", {
      params: { uid: Text },
      headers: conditional,
      query: trying,
      success: InstanceView.pipe(HttpApiSchema.status(202)),
      error: refusals
    })
      .annotate(Access, { verb: "write", of: "instance" })
      .annotateMerge(
        does("Ask for the end of an instance", "One of a fleet is replaced: `desired` says how many there shall be.")
      ),
    /** A new try for the instance where it is parked. */
    HttpApiEndpoint.post("redrive", "/instances/:uid/redrive", {
      params: { uid: Text },
      headers: conditional,
      query: trying,
      success: [InstanceView, InstanceView.pipe(HttpApiSchema.status(202))],
      error: refusals
    })
      .annotate(Access, { verb: "write", of: "instance" })
      .annotateMerge(does("Try an instance again where it is parked"))
  )
  .prefix("/v1") {}

/** What is parked in a project: fleets, then instances, each in the order of their ids. */
export class DeadLettersGroup extends HttpApiGroup.make("dead-letters")
  .add(
    HttpApiEndpoint.get("list", "/projects/:project/dead-letters", {
      params: { project: Name },
      query: pagingOf(DeadLetterView),
      success: pageOf(DeadLetterView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(
        does(
          "What is parked in a project",
          "Fleets, then instances, that failed too often and are not tried any more, until they are redriven."
        )
      )
  )
  .prefix("/v1") {}

/**
 * Without idempotency keys: a process that registers again is given the same number, a second heartbeat is a heartbeat, and what an agent says of its
 * placements is the same however often it is said.
 */
export class AgentsGroup extends HttpApiGroup.make("agents")
  .add(
    HttpApiEndpoint.post("register", "/agents/:agent/registrations", {
      params: { agent: Name },
      payload: Schema.Struct({ host: HostName, process: HostName }),
      success: Schema.Struct({ incarnation: Schema.Int, features: Features }),
      error: [Conflict, Unavailable]
    })
      .annotate(Access, { verb: "agent", of: "cluster" })
      .annotateMerge(
        does(
          "A process comes as an agent",
          "It is given the number that it then calls itself by; the process before it is believed no more."
        )
      ),
    HttpApiEndpoint.post("beat", "/agents/:agent/heartbeats", {
      params: { agent: Name },
      payload: Beat,
      success: BeatAnswer,
      error: Unavailable
    })
      .annotate(Access, { verb: "agent", of: "cluster" })
      .annotateMerge(does("An agent says which instances run", "It is told which of them nobody wants any more.")),
    HttpApiEndpoint.post("exchange", "/agents/:agent/exchanges", {
      params: { agent: Name },
      payload: Exchange,
      success: Schema.Struct({ placements: Schema.Array(PlacementView), features: Features }),
      error: [Conflict, Unavailable]
    })
      .annotate(Access, { verb: "agent", of: "cluster" })
      .annotateMerge(
        does(
          "An agent reports on its work and is told what there is",
          "How something failed is told to who answers that it takes that: `features` holds `report-cause`."
        )
      ),
    HttpApiEndpoint.delete("forget", "/agents/:agent", {
      params: { agent: Name },
      headers: mutation,
      query: trying,
      success: AgentView,
      error: refusals
    })
      .annotate(Access, { verb: "admin", of: "cluster" })
      .annotateMerge(does("Give up an agent whose host is gone for good", "What ran there is replaced elsewhere."))
  )
  .prefix("/v1") {}

export class InspectionGroup extends HttpApiGroup.make("inspection")
  .add(
    HttpApiEndpoint.get("members", "/members", {
      query: pagingOf(MemberView),
      success: pageOf(MemberView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "cluster" })
      .annotateMerge(does("The nodes of the control plane")),
    HttpApiEndpoint.get("leases", "/leases", {
      query: pagingOf(LeaseView),
      success: pageOf(LeaseView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "cluster" })
      .annotateMerge(does("Who holds which lease, and with which epoch")),
    HttpApiEndpoint.get("buckets", "/buckets", {
      query: pagingOf(BucketsView),
      success: pageOf(BucketsView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "cluster" })
      .annotateMerge(does("The groups of buckets, and which node works on each")),
    HttpApiEndpoint.get("agents", "/agents", {
      query: pagingOf(AgentView),
      success: pageOf(AgentView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "cluster" })
      .annotateMerge(does("The agents, and when each was last heard"))
  )
  .prefix("/v1") {}

export class ProjectsGroup extends HttpApiGroup.make("projects")
  .add(
    HttpApiEndpoint.get("list", "/projects", {
      query: pagingOf(ProjectView),
      success: pageOf(ProjectView),
      error: [Compacted, Unavailable]
    })
      .annotate(Access, { verb: "read", of: "projects" })
      .annotateMerge(
        does(
          "The projects that the caller may read",
          "A project is there as long as a fleet, an instance or a quota is. Each page is of its own moment, and shows 100 at most."
        )
      )
  )
  .prefix("/v1") {}

export class OperationsGroup extends HttpApiGroup.make("operations")
  .add(
    HttpApiEndpoint.get("list", "/projects/:project/operations", {
      params: { project: Name },
      query: pagingOf(OperationView),
      success: pageOf(OperationView),
      error: Unavailable
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(
        does(
          "What was asked to be changed in a project, the newest first",
          "The entries of the audit log that are of this project. `revision` of the list is null: no watch tells them."
        )
      )
  )
  .prefix("/v1") {}

export class EventsGroup extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("list", "/projects/:project/events", {
      params: { project: Name },
      query: {
        ...pagingOf(EventView),
        /** The name of a fleet: what is about it and about its instances. */
        fleet: Schema.optional(Name),
        /** The uid of an instance, which may be gone. */
        instance: Schema.optional(Text)
      },
      success: pageOf(EventView),
      error: Unavailable
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(
        does(
          "What has happened to the fleets and instances of a project, the newest first",
          "Of the last 24 hours; `fleet` (by name, with its instances) and `instance` (by uid) choose among them. `revision` of the list is null: no watch tells them."
        )
      )
  )
  .prefix("/v1") {}

export class QuotasGroup extends HttpApiGroup.make("quotas")
  .add(
    HttpApiEndpoint.get("get", "/projects/:project/quota", {
      params: { project: Name },
      success: QuotaView,
      error: Unavailable
    })
      .annotate(Access, { verb: "read", of: "project" })
      .annotateMerge(does("The quota of a project and what of it is used")),
    HttpApiEndpoint.put("put", "/projects/:project/quota", {
      params: { project: Name },
      headers: mutation,
      query: trying,
      payload: QuotaWanted,
      success: QuotaView,
      error: refusals
    })
      .annotate(Access, { verb: "admin", of: "cluster" })
      .annotateMerge(
        does("Set the quota of a project", "What is there stays, also where it is more than the quota allows.")
      )
  )
  .prefix("/v1") {}

export class KeysGroup extends HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("list", "/keys", { success: Schema.Array(KeyView), error: Unavailable })
      .annotate(Access, {
        verb: "admin",
        of: "cluster"
      })
      .annotateMerge(does("The API keys, without their secrets")),
    HttpApiEndpoint.put("put", "/keys/:key", {
      params: { key: KeyId },
      headers: mutation,
      payload: KeyWanted,
      success: [KeyView, KeyView.pipe(HttpApiSchema.status(201))],
      error: refusals
    })
      .annotate(Access, { verb: "admin", of: "cluster" })
      .annotateMerge(
        does("Make an API key of an id and the hash of a secret", "The secret stays with whoever made it.")
      ),
    HttpApiEndpoint.post("rotate", "/keys/:key/rotations", {
      params: { key: KeyId },
      headers: mutation,
      payload: KeyRotation,
      success: KeyView.pipe(HttpApiSchema.status(201)),
      error: refusals
    })
      .annotate(Access, { verb: "admin", of: "cluster" })
      .annotateMerge(does("Make the key that follows an API key", "The old one works beside it for `overlapSeconds`.")),
    HttpApiEndpoint.delete("revoke", "/keys/:key", {
      params: { key: KeyId },
      headers: mutation,
      success: KeyView,
      error: refusals
    })
      .annotate(Access, { verb: "admin", of: "cluster" })
      .annotateMerge(does("Revoke an API key"))
  )
  .prefix("/v1") {}

/** Without `after` the last entries, else those that follow; the oldest first. */
export class AuditGroup extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/audit", {
      query: {
        after: Schema.optional(Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))),
        limit: Schema.optional(
          Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: auditPageMax }))
        )
      },
      success: Schema.Struct({ entries: Schema.Array(AuditView) }),
      error: Unavailable
    })
      .annotate(Access, { verb: "admin", of: "cluster" })
      .annotateMerge(
        does(
          "Entries of the audit log",
          "Without `after` the last ones, else those that follow that number; the oldest first."
        )
      )
  )
  .prefix("/v1") {}

export class Api extends HttpApi.make("stormglass")
  .add(FleetsGroup)
  .add(InstancesGroup)
  .add(DeadLettersGroup)
  .add(ProjectsGroup)
  .add(OperationsGroup)
  .add(EventsGroup)
  .add(QuotasGroup)
  .add(AgentsGroup)
  .add(InspectionGroup)
  .add(KeysGroup)
  .add(AuditGroup)
  // All that is wrong with a request is said at once, and what nobody asked for is not passed over.
  .annotate(HttpApi.PayloadParseOptions, { errors: "all", onExcessProperty: "error" })
  .annotate(HttpApi.QueryParseOptions, { errors: "all", onExcessProperty: "error" })
  .annotate(HttpApi.ParamsParseOptions, { errors: "all" })
  .annotate(HttpApi.HeadersParseOptions, { errors: "all" })
  // The first is the innermost, and the last hears of every refusal.
  .middleware(WellFormed)
  .middleware(Readable)
  .middleware(Authorized) {}
