/**
 * What a watch stream tells: frames of events, each event one change of one row as the API shows it. Pure.
 *
 * - W1 An event is told when what is shown of a row has changed in more than its idle counters: a heartbeat, a renewal and the next
 *   time to look at a row are no events. What an event shows of them is as of that change.
 * - W2 A fleet and its counters are two rows with two writers, and so two kinds of event: a wish is told before it was counted.
 * - W3 A frame that is complete holds whole transactions, and its token stands behind all of it. One that is not has no token that
 *   may be trusted for more than going on: the last transactions in it may go on in the next.
 */
import * as Schema from "effect/Schema"
import type { RowChange } from "../facts/Envelope.ts"
import { fleets, fleetStatuses } from "../fleet/Fleet.ts"
import { agents } from "../heartbeat/Heartbeat.ts"
import { instances } from "../instance/Instance.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import { members } from "../member/Member.ts"
import type { Cursor } from "../ports/Feed.ts"
import { leases } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"

/** What can be asked for: within a project, and of the whole control plane. */
export const projectKinds = ["fleets", "instances"] as const
export const clusterKinds = ["members", "leases", "agents"] as const
export type WatchKind = (typeof projectKinds)[number] | (typeof clusterKinds)[number]

const eventKinds = ["fleet", "fleet-status", "instance", "member", "lease", "agent"] as const

export const WatchEvent = Schema.Struct({
  type: Schema.Literals(["added", "modified", "deleted"]),
  kind: Schema.Literals(eventKinds),
  /** The id of a fleet, also of its counters; the uid of an instance; the name of a member, a lease or an agent. */
  id: Schema.String,
  /** Null of what belongs to no project. */
  project: Schema.NullOr(Schema.String),
  /** As the API shows it; of what is gone, as it was. */
  document: Schema.Record(Schema.String, Schema.Json)
})
export type WatchEvent = typeof WatchEvent.Type

export const Changes = Schema.Struct({ events: Schema.Array(WatchEvent), isComplete: Schema.Boolean })

export type Frame =
  /** Whatever was known is void: everything that is there follows, up to the next complete frame. */
  | { readonly _tag: "Reset" }
  /** Without a token within a listing. */
  | { readonly _tag: "Changes"; readonly changes: typeof Changes.Type; readonly token: Cursor | undefined }
  /** Everything up to here was told. */
  | { readonly _tag: "Bookmark"; readonly token: Cursor }

/** An event with what decides who sees it. */
export interface Sourced {
  readonly asked: WatchKind
  readonly transactionId: number
  readonly event: WatchEvent
}

export interface Filter {
  /** Undefined: of the whole control plane. */
  readonly project: string | undefined
  readonly kinds: ReadonlyArray<WatchKind>
}

export const sees = ({ kinds, project }: Filter, { asked, event }: Sourced): boolean =>
  kinds.includes(asked) && (project === undefined || event.project === project)

interface Source {
  readonly asked: WatchKind
  readonly kind: WatchEvent["kind"]
  readonly id: string
  /** The columns that are shown; those that are idle. */
  readonly shown: ReadonlyArray<string>
  readonly idle: ReadonlyArray<string>
}

/** Each failure is no event; that it was the last one is. */
const failing = ["failures", "failure", "failedAt"] as const

const sources: ReadonlyMap<string, Source> = new Map<string, Source>([
  [
    fleets.name,
    {
      asked: "fleets",
      kind: "fleet",
      id: "id",
      shown: [
        "id",
        "project",
        "name",
        "desired",
        "spec",
        "generation",
        "createdAt",
        "deletionRequestedAt",
        "pausedAt",
        "parkedAt",
        ...failing
      ],
      idle: failing
    }
  ],
  [
    fleetStatuses.name,
    {
      asked: "fleets",
      kind: "fleet-status",
      id: "id",
      shown: ["id", "observedGeneration", "live", "running", "error", "deleting", "parked"],
      idle: []
    }
  ],
  [
    instances.name,
    {
      asked: "instances",
      kind: "instance",
      id: "uid",
      shown: [
        "uid",
        "project",
        "name",
        "fleet",
        "ordinal",
        "spec",
        "state",
        "reason",
        "revision",
        "createdAt",
        "deletionRequestedAt",
        "agent",
        "lastHeartbeatAt",
        "parkedAt",
        ...failing
      ],
      idle: ["agent", "lastHeartbeatAt", ...failing]
    }
  ],
  [
    members.name,
    {
      asked: "members",
      kind: "member",
      id: "id",
      shown: ["id", "address", "incarnation", "weight", "joinedAt", "seenAt", "leavingAt"],
      idle: ["seenAt"]
    }
  ],
  [
    leases.name,
    {
      asked: "leases",
      kind: "lease",
      id: "key",
      shown: ["key", "holder", "epoch", "acquiredAt", "renewedAt", "expiresAt", "releasedAt"],
      idle: ["renewedAt", "expiresAt"]
    }
  ],
  [
    agents.name,
    {
      asked: "agents",
      kind: "agent",
      id: "id",
      shown: ["id", "incarnation", "registeredAt", "host", "process", "heardAt"],
      idle: ["heardAt"]
    }
  ]
])

/** The tables that a watcher's listing shows. */
export const tablesOf = ({ kinds }: Filter): ReadonlyArray<Table<unknown>> =>
  ([fleets, fleetStatuses, instances, members, leases, agents] as unknown as ReadonlyArray<Table<unknown>>).filter(
    ({ name }) => kinds.includes(sources.get(name)!.asked)
  )

type Row = Readonly<Record<string, unknown>>

/** The event that a change is; undefined when nobody is to be told. */
export function eventOf(change: RowChange & { readonly transactionId: number }): Sourced | undefined {
  const { after, before, table, transactionId } = change
  const source = sources.get(table)
  const row = after ?? before
  if (source === undefined || row === null) return undefined
  if (before !== null && after !== null && standing(source, before) === standing(source, after)) return undefined
  const type = before === null ? "added" : after === null ? "deleted" : "modified"
  return { asked: source.asked, transactionId, event: { type, ...shownOf(source, row) } }
}

/** A row that a listing found. */
export function eventOfRow(table: string, row: Row): Sourced {
  const source = sources.get(table)!
  return { asked: source.asked, transactionId: 0, event: { type: "added", ...shownOf(source, row) } }
}

function shownOf({ id, kind, shown }: Source, row: Row) {
  const document = Object.fromEntries(shown.map((column) => [column, row[column] as Schema.Json]))
  const isOfFleet = kind === "fleet-status"
  const project = isOfFleet ? (row["id"] as string).split("/")[0]! : ((row["project"] as string | undefined) ?? null)
  return { kind, id: row[id] as string, project, document }
}

const standing = ({ idle, shown }: Source, row: Row): string =>
  canonicalJson(shown.filter((column) => !idle.includes(column)).map((column) => row[column]))

/** Server-sent events, or messages of a WebSocket: `{ event, id?, data }`. */
export type Encoding = "event-stream" | "messages"

export function encode(frame: Frame, encoding: Encoding = "event-stream"): string {
  const event = frame._tag.toLowerCase()
  const token = frame._tag === "Reset" ? undefined : frame.token
  const data = frame._tag === "Changes" ? JSON.stringify(frame.changes) : "{}"
  if (encoding === "event-stream")
    return `${token === undefined ? "" : `id: ${token}\n`}event: ${event}\ndata: ${data}\n\n`
  return `{"event":"${event}"${token === undefined ? "" : `,"id":${JSON.stringify(token)}`},"data":${data}}`
}

const decodeChanges = Schema.decodeUnknownOption(Changes)
const decodeText = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** Undefined where it is no frame. `id` is that of the event, or of the last before it. */
export function decode(told: {
  readonly event: string
  readonly id: string | undefined
  readonly data: string
}): Frame | undefined {
  const data = decodeText(told.data)
  return data._tag === "None" ? undefined : frameOf(told.event, told.id, data.value)
}

const Message = Schema.fromJsonString(
  Schema.Struct({ event: Schema.String, id: Schema.optionalKey(Schema.String), data: Schema.Unknown })
)
const decodeMessageText = Schema.decodeUnknownOption(Message)

/** Undefined where it is no frame. */
export function decodeMessage(text: string): Frame | undefined {
  const message = decodeMessageText(text)
  return message._tag === "None" ? undefined : frameOf(message.value.event, message.value.id, message.value.data)
}

function frameOf(event: string, token: string | undefined, data: unknown): Frame | undefined {
  switch (event) {
    case "reset":
      return { _tag: "Reset" }
    case "bookmark":
      return token === undefined ? undefined : { _tag: "Bookmark", token }
    case "changes": {
      const changes = decodeChanges(data)
      return changes._tag === "None" ? undefined : { _tag: "Changes", changes: changes.value, token }
    }
    default:
      return undefined
  }
}
