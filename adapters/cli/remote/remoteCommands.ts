/**
 * The commands for a control plane that runs somewhere: what is there, what is wanted, and waiting until they are the same. Each is a few
 * requests to the API; whatever changes something carries an idempotency key, so that asking the next address is safe.
 */
import crypto from "node:crypto"
import * as Effect from "effect/Effect"
import { type Client, failover, type NoAnswer } from "../../../core/client/Client.ts"
import type { FleetView } from "../../../core/api/Views.ts"
import * as HttpCalling from "../../node/HttpCalling.ts"
import { UsageError } from "../Usage.ts"
import { ageOf, table } from "./table.ts"

export interface Remote {
  /** "http://localhost:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
  readonly project: string
}

export const kinds = ["fleets", "instances", "members", "leases", "agents"] as const
export type Kind = (typeof kinds)[number]

const answerTimeoutMillis = 5_000

/** Throws `UsageError` with what the control plane says, when it refuses or does not answer. */
const asking = <A>(
  remote: Remote,
  request: (client: Client) => Effect.Effect<A, { readonly _tag: string; readonly message?: string }>
): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { ask } = yield* failover({ addresses: remote.addresses, timeoutMillis: answerTimeoutMillis })
      return yield* Effect.result(ask(request))
    }).pipe(Effect.provide(HttpCalling.layer))
  ).then((result) => {
    if (result._tag === "Success") return result.success
    throw new UsageError(refusalOf(remote, result.failure))
  })

function refusalOf(
  { addresses }: Remote,
  failure: NoAnswer | { readonly _tag: string; readonly message?: string }
): string {
  const said = "message" in failure ? (failure.message ?? failure._tag) : failure._tag
  const isUnreached = failure._tag === "NoAnswer" || failure._tag === "HttpClientError"
  return isUnreached
    ? `${addresses.join(", ")}: no answer; is \`stormglass serve\` running there? (--server, STORMGLASS_SERVER)`
    : said
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
      const documents = await asking(remote, (client) => client.fleets.list({ params }))
      return { documents, text: table(fleetHead, documents.map(fleetRow)) }
    }
    case "instances": {
      const documents = await asking(remote, (client) => client.instances.list({ params }))
      const rows = documents.map((each) => [
        each.uid,
        each.name,
        each.deletionRequestedAt === null ? each.state : `${each.state} (to be gone)`,
        each.reason ?? "",
        String(each.revision),
        ageOf(each.lastHeartbeatAt)
      ])
      return { documents, text: table(["uid", "name", "state", "reason", "revision", "heard"], rows) }
    }
    case "members": {
      const documents = await asking(remote, (client) => client.inspection.members())
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
      const documents = await asking(remote, (client) => client.inspection.leases())
      const rows = documents.map((each) => [
        each.key,
        each.releasedAt === null ? each.holder : "",
        String(each.epoch),
        ageOf(each.renewedAt)
      ])
      return { documents, text: table(["lease", "holder", "epoch", "renewed"], rows) }
    }
    case "agents": {
      const documents = await asking(remote, (client) => client.inspection.agents())
      const rows = documents.map((each) => [each.id, String(each.incarnation), ageOf(each.heardAt)])
      return { documents, text: table(["agent", "incarnation", "heard"], rows) }
    }
  }
}

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

/** Why a fleet is not as it is wanted, in a few words; undefined when it is. */
export const unstable = ({ desired, generation, status }: FleetView): string | undefined => {
  if (status === null || status.observedGeneration !== generation) return "not counted since its last change"
  if (status.error > 0) return `${status.error} failed, to be replaced`
  if (status.running < desired) return `${desired - status.running} to start`
  if (status.live > desired) return `${status.live - desired} to be stopped`
  return status.deleting > 0 ? `${status.deleting} on their way out` : undefined
}

export interface Wanted {
  readonly name: string
  readonly desired: number
  readonly spec: FleetView["spec"]
}

export const apply = (remote: Remote, { desired, name, spec }: Wanted): Promise<FleetView> =>
  asking(remote, (client) =>
    client.fleets.put({
      params: { project: remote.project, name },
      headers: { "idempotency-key": keyOfCommand },
      payload: { desired, spec }
    })
  )

export const scale = async (remote: Remote, name: string, desired: number): Promise<FleetView> => {
  const { spec } = await fleetOf(remote, name)
  return await apply(remote, { name, desired, spec })
}

export const remove = (remote: Remote, uid: string): Promise<unknown> =>
  asking(remote, (client) => client.instances.delete({ params: { uid }, headers: { "idempotency-key": keyOfCommand } }))

/** Its host is gone for good. */
export const forgetAgent = (remote: Remote, agent: string): Promise<unknown> =>
  asking(remote, (client) => client.agents.forget({ params: { agent }, headers: { "idempotency-key": keyOfCommand } }))

export const fleetOf = (remote: Remote, name: string): Promise<FleetView> =>
  asking(remote, (client) => client.fleets.get({ params: { project: remote.project, name } }))

/** Each look at the fleet that differs from the last one, until a moment on the monotonic clock. */
export async function* looks(
  remote: Remote,
  name: string,
  everyMillis: number,
  untilMillis: number
): AsyncGenerator<FleetView> {
  let last = ""
  while (performance.now() < untilMillis) {
    const fleet = await fleetOf(remote, name)
    const text = JSON.stringify(fleet)
    if (text !== last) yield fleet
    last = text
    await new Promise((resolve) => setTimeout(resolve, everyMillis))
  }
}

/** One for each run of the command, however often it asks. */
const keyOfCommand = crypto.randomUUID()

/** One line about a fleet. */
export const fleetLine = (fleet: FleetView): string => {
  const { desired, name, status } = fleet
  if (status === null) return `${name}: ${desired} wanted, not counted yet`
  return `${name}: ${status.running} of ${desired} run, ${unstable(fleet) ?? "stable"}`
}
