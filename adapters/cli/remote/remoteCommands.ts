/**
 * The commands for a control plane that runs somewhere: what is there, what is wanted, and waiting until they are the same. Each is a few
 * requests to the API; whatever changes something carries an idempotency key, so that asking the next address is safe.
 */
import crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type Client, failover, type NoAnswer } from "../../../core/client/Client.ts"
import { ofFleet } from "../../../core/api/etag.ts"
import { type DeadLetterView, FleetView } from "../../../core/api/Views.ts"
import { watch } from "../../../core/client/watch.ts"
import { unstable } from "../../../core/fleet/unstable.ts"
import type { Frame } from "../../../core/watch/WatchFrame.ts"
import type { Key } from "../serve/keyStore.ts"
import { UsageError } from "../Usage.ts"
import { calling } from "./calling.ts"
import { ageOf, table } from "./table.ts"

export interface Remote {
  /** "http://localhost:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
  readonly project: string
  readonly key: Key | undefined
  /** What people look at when the key is refused: "data/key". */
  readonly keyOrigin?: string | undefined
}

export const kinds = [
  "projects",
  "fleets",
  "instances",
  "dead-letters",
  "operations",
  "members",
  "leases",
  "buckets",
  "agents"
] as const
export type Kind = (typeof kinds)[number]

const answerTimeoutMillis = 5_000

/** Throws `UsageError` with what the control plane says, when it refuses or does not answer. */
export const asking = <A>(
  remote: Remote,
  request: (client: Client) => Effect.Effect<A, { readonly _tag: string; readonly message?: string }>
): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { ask } = yield* failover({ addresses: remote.addresses, timeoutMillis: answerTimeoutMillis })
      // With the same key: what was done already is not done again.
      const asked = ask(request).pipe(
        Effect.retry({ while: isPassing, schedule: Schedule.spaced("500 millis"), times: 20 })
      )
      return yield* Effect.result(asked)
    }).pipe(Effect.provide(calling(remote.key)))
  ).then((result) => {
    if (result._tag === "Success") return result.success
    throw new UsageError(refusalOf(remote, result.failure))
  })

/** Somebody else still does it, or nobody could just now; no answer at all is for people to hear of. */
const isPassing = ({ _tag }: { readonly _tag: string }): boolean => _tag === "InProgress" || _tag === "Unavailable"

function refusalOf(
  { addresses, keyOrigin }: Remote,
  failure: NoAnswer | { readonly _tag: string; readonly message?: string }
): string {
  const said = "message" in failure ? (failure.message ?? failure._tag) : failure._tag
  const isUnreached = failure._tag === "NoAnswer" || failure._tag === "HttpClientError"
  if (failure._tag === "Unauthenticated")
    return `${said} (${keyOrigin === undefined ? "none was sent" : `from ${keyOrigin}`})`
  return isUnreached
    ? `${addresses.join(", ")}: no answer; is \`stormglass serve\` running there? (--server, STORMGLASS_SERVER)`
    : said
}

/** All of a list, as it was when it began. */
const everyPage = async <A>(
  ask: (query: {
    readonly after?: string
  }) => Promise<{ readonly items: ReadonlyArray<A>; readonly next: string | null }>
): Promise<ReadonlyArray<A>> => {
  const found: Array<A> = []
  for (let page = await ask({}); ; page = await ask({ after: page.next })) {
    found.push(...page.items)
    if (page.next === null) return found
  }
}

/** A document, and what of it is shown to people. */
interface Shown {
  readonly documents: ReadonlyArray<object>
  readonly text: string
}

export const get = async (remote: Remote, kind: Kind): Promise<Shown> => {
  const params = { project: remote.project }
  switch (kind) {
    case "fleets": {
      const documents = await everyPage((query) => asking(remote, (client) => client.fleets.list({ params, query })))
      return { documents, text: table(fleetHead, documents.map(fleetRow)) }
    }
    case "instances": {
      const documents = await everyPage((query) => asking(remote, (client) => client.instances.list({ params, query })))
      const rows = documents.map((each) => [
        each.uid,
        each.name,
        each.deletionRequestedAt === null ? each.state : `${each.state} (to be gone)`,
        each.reason ?? "",
        String(each.revision),
        each.agent ?? "",
        ageOf(each.lastHeartbeatAt)
      ])
      return { documents, text: table(["uid", "name", "state", "reason", "revision", "agent", "heard"], rows) }
    }
    case "dead-letters": {
      const documents = await deadLetters(remote)
      const rows = documents.map((each) => [
        each.kind,
        each.kind === "fleet" ? each.name : each.id,
        each.fleet?.split("/")[1] ?? "",
        String(each.failures),
        ageOf(each.parkedAt),
        each.failure
      ])
      return { documents, text: table(["kind", "name", "of fleet", "failures", "parked", "why"], rows) }
    }
    case "projects": {
      const documents = await everyPage((query) => asking(remote, (client) => client.projects.list({ query })))
      const rows = documents.map((each) => [each.name, mostOf(each.fleetsMax), mostOf(each.instancesMax)])
      return { documents, text: table(["project", "fleets at most", "instances at most"], rows) }
    }
    case "operations": {
      // The newest are enough for people and for programs; the whole log is `stormglass audit`.
      const { items } = await asking(remote, (client) => client.operations.list({ params, query: { limit: 100 } }))
      const rows = items.map((each) => [
        ageOf(each.at),
        each.principal,
        each.action,
        each.path,
        String(each.status),
        each.revision === null ? "" : String(each.revision),
        each.requestId
      ])
      return { documents: items, text: table(["when", "who", "what", "path", "status", "revision", "request"], rows) }
    }
    case "buckets": {
      const documents = await everyPage((query) => asking(remote, (client) => client.inspection.buckets({ query })))
      const rows = documents.map((each) => [
        String(each.group),
        `${each.firstBucket}-${each.lastBucket}`,
        each.holder ?? "",
        each.epoch === null ? "" : String(each.epoch)
      ])
      return { documents, text: table(["group", "buckets", "holder", "epoch"], rows) }
    }
    case "members": {
      const documents = await everyPage((query) => asking(remote, (client) => client.inspection.members({ query })))
      const rows = documents.map((each) => [
        each.id,
        each.address,
        String(each.incarnation),
        String(each.weight),
        each.leavingAt === null ? ageOf(each.seenAt) : "left"
      ])
      return { documents, text: table(["member", "address", "incarnation", "weight", "seen"], rows) }
    }
    case "leases": {
      const documents = await everyPage((query) => asking(remote, (client) => client.inspection.leases({ query })))
      const rows = documents.map((each) => [
        each.key,
        each.releasedAt === null ? each.holder : "",
        String(each.epoch),
        ageOf(each.renewedAt)
      ])
      return { documents, text: table(["lease", "holder", "epoch", "renewed"], rows) }
    }
    case "agents": {
      const documents = await everyPage((query) => asking(remote, (client) => client.inspection.agents({ query })))
      const rows = documents.map((each) => [each.id, String(each.incarnation), ageOf(each.heardAt)])
      return { documents, text: table(["agent", "incarnation", "heard"], rows) }
    }
  }
}

const mostOf = (max: number | null): string => (max === null ? "" : String(max))

const deadLetters = (remote: Remote) =>
  everyPage((query) =>
    asking(remote, (client) => client["dead-letters"].list({ params: { project: remote.project }, query }))
  )

/** False when nothing of it was parked. */
export const redrive = async (remote: Remote, kind: "fleet" | "instance", name: string): Promise<boolean> => {
  if (kind === "fleet") {
    const before = (await deadLetters(remote)).some((each) => isOfFleet(each, `${remote.project}/${name}`))
    await redriveFleet(remote, name)
    return before
  }
  const { parkedAt } = await asking(remote, (client) => client.instances.get({ params: { uid: name } }))
  await redriveInstance(remote, name)
  return parkedAt !== null
}

function redriveFleet(remote: Remote, name: string) {
  const [headers, params] = [once(), { project: remote.project, name }]
  return asking(remote, (client) => client.fleets.redrive({ params, query: {}, headers }))
}

function redriveInstance(remote: Remote, uid: string) {
  const headers = once()
  return asking(remote, (client) => client.instances.redrive({ params: { uid }, query: {}, headers }))
}

const isOfFleet = ({ fleet, id, kind }: DeadLetterView, fleetId: string): boolean =>
  (kind === "fleet" ? id : fleet) === fleetId

/** How many were parked. */
export const redriveAll = async (remote: Remote): Promise<number> => {
  const letters = await deadLetters(remote)
  const fleets = new Set(letters.flatMap((each) => (each.kind === "fleet" ? [each.id] : (each.fleet ?? []))))
  for (const id of fleets) await redriveFleet(remote, id.split("/")[1]!)
  for (const each of letters) {
    if (each.kind === "instance" && each.fleet === null) await redriveInstance(remote, each.id)
  }
  return letters.length
}

/** What the control plane says of the key. Throws `UsageError` where it does not know it. */
export const triedKey = (remote: Remote): Promise<string> =>
  asking(remote, (client) =>
    client.fleets.list({ params: { project: remote.project }, query: { limit: 1 } }).pipe(
      Effect.as(`the key may read project ${remote.project}`),
      Effect.catchTag("Forbidden", () => Effect.succeed(`the key is known, and may not read project ${remote.project}`))
    )
  )

const fleetHead = ["fleet", "desired", "running", "error", "deleting", "generation", "state"]

function fleetRow(fleet: FleetView): ReadonlyArray<string> {
  const { desired, generation, name, status } = fleet
  return [
    name,
    String(desired),
    String(status?.running ?? 0),
    String(status?.error ?? 0),
    String(status?.deleting ?? 0),
    String(generation),
    unstable(fleet) ?? "stable"
  ]
}

export interface Wanted {
  readonly name: string
  readonly desired: number
  readonly spec: FleetView["spec"]
}

export const apply = (remote: Remote, { name, ...payload }: Wanted): Promise<FleetView> => {
  const headers = once()
  return asking(remote, (client) =>
    client.fleets.put({ params: { project: remote.project, name }, query: {}, headers, payload })
  )
}

export const scale = async (remote: Remote, name: string, desired: number): Promise<FleetView> => {
  const { spec } = await fleetOf(remote, name)
  return await apply(remote, { name, desired, spec })
}

/** For a fleet that is paused nothing is created and nothing taken away. Of whoever scales it meanwhile the last count stays. */
export const pause = async (remote: Remote, name: string, paused: boolean): Promise<FleetView> => {
  const params = { project: remote.project, name }
  return await asking(remote, (client) =>
    Effect.gen(function* () {
      const read = yield* client.fleets.get({ params, query: {} })
      const headers = { ...once(), "if-match": ofFleet(read) }
      const payload = { desired: read.desired, spec: read.spec, paused }
      return yield* client.fleets.put({ params, query: {}, headers, payload })
    }).pipe(Effect.retry({ while: ({ _tag }) => _tag === "PreconditionFailed", times: 5 }))
  )
}

export const remove = (remote: Remote, uid: string): Promise<unknown> => {
  const headers = once()
  return asking(remote, (client) => client.instances.delete({ params: { uid }, query: {}, headers }))
}

export const removeFleet = (remote: Remote, name: string): Promise<unknown> => {
  const headers = once()
  return asking(remote, (client) =>
    client.fleets.delete({ params: { project: remote.project, name }, query: {}, headers })
  )
}

/** Its host is gone for good. */
export const forgetAgent = (remote: Remote, agent: string): Promise<unknown> => {
  const headers = once()
  return asking(remote, (client) => client.agents.forget({ params: { agent }, query: {}, headers }))
}

export const fleetOf = (remote: Remote, name: string): Promise<FleetView> =>
  asking(remote, (client) => client.fleets.get({ params: { project: remote.project, name }, query: {} }))

export interface Following {
  readonly forMillis: number
  /** Told what is there at first, and whenever it has changed; true when that is enough. */
  readonly onFleet: (fleet: FleetView) => boolean
  /** No address answers; it goes on asking. */
  readonly onUnreached: () => void
}

/** Watches a fleet, by whichever address answers; false when the time was over first. */
export const followFleet = async (remote: Remote, name: string, following: Following): Promise<boolean> => {
  // What is wrong with the question, or with all addresses, is said at once.
  const { id } = await fleetOf(remote, name)
  const { forMillis, onFleet, onUnreached } = following
  const seen: { fleet: Document | undefined; status: Document | undefined; last: string } = {
    fleet: undefined,
    status: undefined,
    last: ""
  }
  const onFrame = (frame: Frame): Effect.Effect<void, "enough"> => {
    if (frame._tag === "Reset") seen.fleet = seen.status = undefined
    if (frame._tag !== "Changes") return Effect.void
    for (const event of frame.changes.events) {
      if (event.id !== id) continue
      const document = event.type === "deleted" ? undefined : event.document
      if (event.kind === "fleet") seen.fleet = document
      if (event.kind === "fleet-status") seen.status = document
    }
    if (!frame.changes.isComplete || seen.fleet === undefined) return Effect.void
    const fleet = Schema.decodeUnknownSync(FleetView)({ ...seen.fleet, status: seen.status ?? null })
    const text = JSON.stringify(fleet)
    if (text === seen.last) return Effect.void
    seen.last = text
    return onFleet(fleet) ? Effect.fail("enough") : Effect.void
  }
  const ended = await watch({
    addresses: remote.addresses,
    path: `/v1/projects/${remote.project}/watch?kinds=fleets`,
    onFrame,
    onUnreached: Effect.sync(onUnreached)
  }).pipe(
    Effect.flip,
    (following) => (forMillis === Infinity ? Effect.asSome(following) : Effect.timeoutOption(following, forMillis)),
    Effect.provide(calling(remote.key)),
    Effect.runPromise
  )
  if (ended._tag === "None") return false
  if (ended.value === "enough") return true
  throw new UsageError(`${remote.addresses.join(", ")}: ${ended.value.message}`)
}

type Document = Readonly<Record<string, unknown>>

/** A key for each wish, however often it is sent. */
const once = () => ({ "idempotency-key": crypto.randomUUID() })

/** One line about a fleet. */
export const fleetLine = (fleet: FleetView): string => {
  const { desired, name, status } = fleet
  const state = unstable(fleet) ?? "stable"
  return status === null
    ? `${name}: ${desired} wanted, ${state}`
    : `${name}: ${status.running} of ${desired} run, ${state}`
}
