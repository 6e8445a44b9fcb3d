/** What `stormglass get` lists: how each kind is asked for, and the columns that people are shown. */
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Schema from "effect/Schema"
import {
  AgentView,
  BucketsView,
  DeadLetterView,
  EventView,
  FleetView,
  InstanceView,
  LeaseView,
  MemberView,
  OperationView,
  ProjectView,
  QuotaView
} from "../../../core/api/Views.ts"
import type { Client } from "../../../core/client/Client.ts"
import { unstable } from "../../../core/fleet/unstable.ts"
import type { states } from "../../../core/instance/Instance.ts"
import { orNearest } from "../../../sim/nemesis/nearest.ts"
import { UsageError } from "../Usage.ts"
import { answered, type Failure } from "./refusal.ts"
import { ageOf } from "./table.ts"

/** Which of a list, and how much of each. */
export interface ListAsked {
  /** So many at most. Default: all. */
  readonly limit?: number
  /** Of instances. */
  readonly state?: (typeof states)[number]
  /** Of instances and events: the name of their fleet. */
  readonly fleet?: string
  /** Of events: the uid of their instance. */
  readonly instance?: string
  /** Only these members of each document. */
  readonly fields?: ReadonlyArray<string>
}

/** A page of a list; the API takes `fields` as one text. */
interface Request {
  readonly params: { readonly project: string }
  readonly query: Omit<ListAsked, "fields"> & { readonly after?: string }
}

interface PageAsked extends Pick<Request, "params"> {
  readonly query: ListAsked & { readonly after?: string }
}

interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next: string | null
}

type List<A> = (client: Client, request: Request) => Effect.Effect<Page<A>, Failure>

export interface Listing {
  readonly fields: ReadonlyArray<string>
  readonly list: (client: Client, request: PageAsked) => Effect.Effect<Page<object>, Failure>
  readonly head: ReadonlyArray<string>
  readonly row: (item: object) => ReadonlyArray<string>
  /** Where nobody says how many. */
  readonly defaultLimit?: number
}

/** Gives it its type, which the table forgets. */
const listing = <A extends object>(
  view: Schema.Codec<A, unknown> & { readonly fields: object },
  given: {
    readonly list: List<A>
    /** The API knows nothing of the list, and so of parts of its documents. */
    readonly isComposed?: boolean
    readonly defaultLimit?: number
    readonly columns: Readonly<Record<string, (item: A) => string>>
  }
): Listing => {
  const { columns, isComposed = false, list, ...rest } = given
  return {
    ...rest,
    fields: Object.keys(view.fields),
    list: (client, { params, query: { fields, ...query } }) => {
      if (fields === undefined) return list(client, { params, query })
      if (!isComposed) return masked(list)(client, { params, query: { ...query, fields: fields.join(",") } as never })
      return Effect.map(list(client, { params, query }), ({ items, next }) => ({
        items: items.map(partOf(fields)),
        next
      }))
    },
    head: Object.keys(columns),
    row: (item) => Object.values(columns).map((column) => column(item as A))
  }
}

const partOf =
  (fields: ReadonlyArray<string>) =>
  (document: object): object =>
    Object.fromEntries(Object.entries(document).filter(([name]) => fields.includes(name)))

/** The same list with some members of each document alone, which are taken as they come: no schema is of a part. */
const masked =
  (list: List<object>): List<object> =>
  (client, request) =>
    Effect.gen(function* () {
      const asked = list(client, { ...request, responseMode: "response-only" } as Request)
      const response = (yield* asked) as unknown as HttpClientResponse.HttpClientResponse
      if (response.status >= 400) return yield* Effect.fail(answered(response.status, yield* response.text))
      return (yield* response.json) as unknown as Page<object>
    })

const quotasAtOnce = 8

const mostOf = (max: number | null): string => (max === null ? "" : String(max))

export const listings = {
  projects: listing(ProjectView, {
    list: (client, request) => client.projects.list(request),
    columns: {
      project: ({ name }) => name,
      "fleets at most": ({ fleetsMax }) => mostOf(fleetsMax),
      "instances at most": ({ instancesMax }) => mostOf(instancesMax)
    }
  }),
  fleets: listing(FleetView, {
    list: (client, request) => client.fleets.list(request),
    columns: {
      fleet: ({ name }) => name,
      desired: ({ desired }) => String(desired),
      running: ({ status }) => String(status?.running ?? 0),
      error: ({ status }) => String(status?.error ?? 0),
      deleting: ({ status }) => String(status?.deleting ?? 0),
      generation: ({ generation }) => String(generation),
      state: (fleet) => unstable(fleet) ?? "stable"
    }
  }),
  instances: listing(InstanceView, {
    list: (client, request) => client.instances.list(request),
    columns: {
      uid: ({ uid }) => uid,
      name: ({ name }) => name,
      state: ({ deletionRequestedAt, state }) => (deletionRequestedAt === null ? state : `${state} (to be gone)`),
      reason: ({ reason }) => reason ?? "",
      revision: ({ revision }) => String(revision),
      agent: ({ agent }) => agent ?? "",
      heard: ({ lastHeartbeatAt }) => ageOf(lastHeartbeatAt)
    }
  }),
  "dead-letters": listing(DeadLetterView, {
    list: (client, request) => client["dead-letters"].list(request),
    columns: {
      kind: ({ kind }) => kind,
      name: ({ id, kind, name }) => (kind === "fleet" ? name : id),
      "of fleet": ({ fleet }) => fleet?.split("/")[1] ?? "",
      failures: ({ failures }) => String(failures),
      parked: ({ parkedAt }) => ageOf(parkedAt),
      why: ({ failure }) => failure
    }
  }),
  operations: listing(OperationView, {
    list: (client, request) => client.operations.list(request),
    // The newest are enough for people and for programs; the whole log is `stormglass audit`.
    defaultLimit: 100,
    columns: {
      when: ({ at }) => ageOf(at),
      who: ({ principal }) => principal,
      what: ({ action }) => action,
      path: ({ path }) => path,
      status: ({ status }) => String(status),
      revision: ({ revision }) => (revision === null ? "" : String(revision)),
      request: ({ requestId }) => requestId
    }
  }),
  events: listing(EventView, {
    list: (client, request) => client.events.list(request),
    defaultLimit: 100,
    columns: {
      when: ({ at }) => ageOf(at),
      what: ({ kind }) => kind,
      of: ({ fleet, instance }) => instance ?? `fleet ${fleet?.split("/")[1] ?? ""}`,
      detail: ({ detail }) => detail
    }
  }),
  /** The API has no list of them: of each project that has one, its own. */
  quotas: listing(QuotaView, {
    isComposed: true,
    list: (client, request) =>
      Effect.gen(function* () {
        const { items, next } = yield* client.projects.list(request)
        const limited = items.filter(({ fleetsMax, instancesMax }) => fleetsMax !== null || instancesMax !== null)
        const quotas = yield* Effect.forEach(limited, ({ name }) => client.quotas.get({ params: { project: name } }), {
          concurrency: quotasAtOnce
        })
        return { items: quotas, next }
      }),
    columns: {
      project: ({ project }) => project,
      fleets: ({ used }) => String(used.fleets),
      "fleets at most": ({ fleetsMax }) => mostOf(fleetsMax),
      instances: ({ used }) => String(used.instances),
      "instances at most": ({ instancesMax }) => mostOf(instancesMax)
    }
  }),
  members: listing(MemberView, {
    list: (client, request) => client.inspection.members(request),
    columns: {
      member: ({ id }) => id,
      address: ({ address }) => address,
      incarnation: ({ incarnation }) => String(incarnation),
      weight: ({ weight }) => String(weight),
      seen: ({ leavingAt, seenAt }) => (leavingAt === null ? ageOf(seenAt) : "left")
    }
  }),
  leases: listing(LeaseView, {
    list: (client, request) => client.inspection.leases(request),
    columns: {
      lease: ({ key }) => key,
      holder: ({ holder, releasedAt }) => (releasedAt === null ? holder : ""),
      epoch: ({ epoch }) => String(epoch),
      renewed: ({ renewedAt }) => ageOf(renewedAt)
    }
  }),
  buckets: listing(BucketsView, {
    list: (client, request) => client.inspection.buckets(request),
    columns: {
      group: ({ group }) => String(group),
      buckets: ({ firstBucket, lastBucket }) => `${firstBucket}-${lastBucket}`,
      holder: ({ holder }) => holder ?? "",
      epoch: ({ epoch }) => (epoch === null ? "" : String(epoch))
    }
  }),
  agents: listing(AgentView, {
    list: (client, request) => client.inspection.agents(request),
    columns: {
      agent: ({ id }) => id,
      incarnation: ({ incarnation }) => String(incarnation),
      heard: ({ heardAt }) => ageOf(heardAt)
    }
  })
} as const satisfies Readonly<Record<string, Listing>>

export type Kind = keyof typeof listings
export const kinds = Object.keys(listings) as ReadonlyArray<Kind>

interface Typed {
  readonly fields: string | undefined
  readonly fleet: string | undefined
  readonly instance: string | undefined
  readonly limit: number | undefined
  readonly state: ListAsked["state"]
  readonly json: boolean
}

const chosenBy: Readonly<Record<"state" | "fleet" | "instance", readonly [Kind, ...ReadonlyArray<Kind>]>> = {
  state: ["instances"],
  fleet: ["instances", "events"],
  instance: ["events"]
}

/** What was typed, as the list is asked for. Pure; throws `UsageError`. */
export const listAsked = (kind: Kind, { fields, json, ...typed }: Typed): ListAsked => {
  for (const flag of ["state", "fleet", "instance"] as const) {
    const choice = chosenBy[flag]
    if (typed[flag] !== undefined && !choice.includes(kind)) {
      const example = `\`stormglass get ${choice[0]} --${flag} ${typed[flag]}\``
      throw new UsageError(`--${flag}: chooses among ${choice.join(" and ")}: ${example}`)
    }
  }
  if (typed.limit !== undefined && typed.limit < 1) throw new UsageError(`--limit: ${typed.limit} is less than one`)
  if (fields !== undefined && !json) throw new UsageError("--fields: goes with --json; a table has its own columns")
  const { fields: known } = listings[kind]
  const named = fields?.split(",").map((name) => name.trim())
  const wrong = named?.find((name) => !known.includes(name))
  if (wrong !== undefined) {
    const hint = orNearest(wrong, known) || `; there are ${known.join(", ")}`
    throw new UsageError(`--fields: ${kind} have no field "${wrong}"${hint}`)
  }
  const asked = { ...typed, fields: named }
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
}
