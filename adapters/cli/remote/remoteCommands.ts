/**
 * The commands for a control plane that runs somewhere: what is there, what is wanted, and waiting until they are the same. Each is a few
 * requests to the API; whatever changes something carries an idempotency key, so that asking the next address is safe.
 */
import crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type Client, failover } from "../../../core/client/Client.ts"
import { ofFleet } from "../../../core/api/etag.ts"
import { type DeadLetterView, FleetView, type QuotaView } from "../../../core/api/Views.ts"
import { watch } from "../../../core/client/watch.ts"
import { unstable } from "../../../core/fleet/unstable.ts"
import { listRowsMax } from "../../../core/Limits.ts"
import type { Frame } from "../../../core/watch/WatchFrame.ts"
import type { Key } from "../serve/keyStore.ts"
import { calling } from "./calling.ts"
import { type Kind, type ListAsked, type Listing, listings } from "./listings.ts"
import { answered, type Failure, isPassing, read, refusalOf } from "./refusal.ts"
import { table } from "./table.ts"

export interface Remote {
  /** "http://localhost:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
  readonly project: string
  readonly key: Key | undefined
  /** What people look at when the key is refused: "data/key". */
  readonly keyOrigin?: string | undefined
}

const answerTimeoutMillis = 5_000

/** Throws `CommandError` with what the control plane says, when it refuses or does not answer. */
export const asking = <A>(remote: Remote, request: (client: Client) => Effect.Effect<A, Failure>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { ask } = yield* failover({ addresses: remote.addresses, timeoutMillis: answerTimeoutMillis })
      // With the same key: what was done already is not done again.
      const asked = ask(request).pipe(
        Effect.retry({ while: isPassing, schedule: Schedule.spaced("500 millis"), times: 20 })
      )
      const result = yield* Effect.result(asked)
      return result._tag === "Success" ? { answer: result.success } : { failure: yield* read(result.failure) }
    }).pipe(Effect.provide(calling(remote.key)))
  ).then((told) => {
    if ("answer" in told) return told.answer
    throw refusalOf(remote, told.failure)
  })

/** What `get` shows: documents, and of them a table for people. */
interface Shown {
  readonly documents: ReadonlyArray<object>
  readonly text: string
  /** The list goes on where it was cut. */
  readonly isCut: boolean
}

/** All of a list, as it was when it began; or as much of it as was asked for. */
export const get = async (remote: Remote, kind: Kind, asked: ListAsked = {}): Promise<Shown> => {
  const { defaultLimit, head, list, row }: Listing = listings[kind]
  const { limit = defaultLimit, ...chosen } = asked
  const params = { project: remote.project }
  const items: Array<object> = []
  for (let after: string | undefined; ;) {
    const rest = limit === undefined ? {} : { limit: Math.min(limit - items.length, listRowsMax) }
    const query = { ...chosen, ...rest, ...(after === undefined ? {} : { after }) }
    const page = await asking(remote, (client) => list(client, { params, query }))
    items.push(...page.items)
    const isCut = page.next !== null && limit !== undefined && items.length >= limit
    // Parts of documents have not what the columns show.
    const text = () => (asked.fields === undefined ? table(head, items.map(row)) : JSON.stringify(items))
    if (isCut || page.next === null) return { documents: items, text: text(), isCut }
    after = page.next
  }
}

export interface Limits {
  readonly fleetsMax: number | null
  readonly instancesMax: number | null
}

type Quota = typeof QuotaView.Type

/** What is left out stays as it is. */
export const setQuota = async (remote: Remote, project: string, limits: Partial<Limits>): Promise<Quota> => {
  const [headers, params] = [once(), { project }]
  const { fleetsMax, instancesMax } = await asking(remote, (client) => client.quotas.get({ params }))
  const payload = { fleetsMax, instancesMax, ...limits }
  return await asking(remote, (client) => client.quotas.put({ params, query: {}, headers, payload }))
}

/** One line about a quota. */
export const quotaLine = ({ fleetsMax, instancesMax, project, used }: Quota): string => {
  const of = (count: number, max: number | null, what: string) =>
    max === null ? `${count} ${what} (no limit)` : `${count} of ${max} ${what}`
  return `${project}: wants ${of(used.fleets, fleetsMax, "fleets")}, ${of(used.instances, instancesMax, "instances")}`
}

const deadLetters = async (remote: Remote): Promise<ReadonlyArray<DeadLetterView>> =>
  (await get(remote, "dead-letters")).documents as ReadonlyArray<DeadLetterView>

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

/** What the control plane says of the key. Throws `CommandError` where it does not know it. */
export const triedKey = (remote: Remote): Promise<string> =>
  asking(remote, (client) =>
    client.fleets.list({ params: { project: remote.project }, query: { limit: 1 } }).pipe(
      Effect.as(`the key may read project ${remote.project}`),
      Effect.catchTag("Forbidden", () => Effect.succeed(`the key is known, and may not read project ${remote.project}`))
    )
  )

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
  const { message, status } = ended.value
  throw refusalOf(remote, answered(status, message))
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
