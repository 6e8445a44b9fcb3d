/**
 * Everything about one fleet or instance on one screen: what is wanted, what is there, why it is not done, what has happened to it, and what was
 * asked of it last.
 */
import type { AuditView, EventView, FleetView, InstanceView } from "../../../core/api/Views.ts"
import { unstable } from "../../../core/fleet/unstable.ts"
import { inLine } from "../printed.ts"
import { listings } from "./listings.ts"
import { asking, get, type Remote } from "./remoteCommands.ts"
import { ageOf, table } from "./table.ts"

type Entry = typeof AuditView.Type

export interface Described {
  readonly document: object
  readonly text: string
}

/** How far back the audit is looked through. */
const lookedThrough = 1_000
const shownMax = 8
const eventsMax = 10

export const describeFleet = async (remote: Remote, name: string): Promise<Described> => {
  const { project } = remote
  const fleet = await asking(remote, (client) => client.fleets.get({ params: { project, name }, query: {} }))
  const { documents } = await get(remote, "instances", { fleet: name })
  const instances = documents as ReadonlyArray<InstanceView>
  const events = await eventsOf(remote, { fleet: name })
  const changes = await changesOf(remote, `/v1/projects/${project}/fleets/${name}`)
  return {
    document: { fleet, instances, events, changes: changes ?? null },
    text: fleetText(fleet, instances, { events, changes })
  }
}

export const describeInstance = async (remote: Remote, uid: string): Promise<Described> => {
  const instance = await asking(remote, (client) => client.instances.get({ params: { uid } }))
  const { project } = instance
  const events = await eventsOf({ ...remote, project }, { instance: uid })
  const changes = await changesOf(remote, `/v1/instances/${uid}`)
  return { document: { instance, events, changes: changes ?? null }, text: instanceText(instance, { events, changes }) }
}

interface Past {
  /** The newest first. */
  readonly events: ReadonlyArray<EventView>
  /** Undefined for who may not read the audit. */
  readonly changes: ReadonlyArray<Entry> | undefined
}

/** Pure. */
export const fleetText = (
  fleet: FleetView,
  instances: ReadonlyArray<InstanceView>,
  { changes, events }: Past
): string => {
  const { desired, generation, id, spec, status } = fleet
  const waiting = instances.filter(isUnderWay)
  return [
    `fleet ${id}, generation ${generation}: ${inLine(spec.image)}, ${spec.size}`,
    `  wanted ${desired}, running ${status?.running ?? 0}, failed ${status?.error ?? 0}, on their way out ${status?.deleting ?? 0}`,
    `  ${unstable(fleet) ?? "as it is wanted"}${agentsText(instances)}`,
    ...conditionsText(fleet.conditions),
    ...(waiting.length === 0 ? [] : ["", `Not done, ${waiting.length} of its ${instances.length} instances`]),
    ...waiting.slice(0, shownMax).map((each) => `  ${each.uid}  ${whyNotDone(each)}`),
    ...(waiting.length > shownMax ? [`  and ${waiting.length - shownMax} more: stormglass get instances`] : []),
    "",
    ...eventsText(events),
    "",
    ...changesText(changes)
  ].join("\n")
}

const instanceText = (instance: InstanceView, { changes, events }: Past): string =>
  [
    `instance ${instance.uid}, revision ${instance.revision}: ${inLine(instance.spec.image)}, ${instance.spec.size}`,
    `  of ${instance.fleet ?? "no fleet"}, in project ${instance.project}`,
    `  ${isUnderWay(instance) ? whyNotDone(instance) : "runs"}, heard ${ageOf(instance.lastHeartbeatAt)}${instance.agent === null ? "" : ` from agent ${instance.agent}`}`,
    ...(instance.parkedAt === null ? [] : [`  parked: stormglass redrive instance ${instance.uid}`]),
    ...conditionsText(instance.conditions),
    "",
    ...eventsText(events),
    "",
    ...changesText(changes)
  ].join("\n")

/** ", on agents a1 (2), a2 (1)": who speaks for how many of those that are wanted. */
function agentsText(instances: ReadonlyArray<InstanceView>): string {
  const byAgent = Map.groupBy(
    instances.filter(({ agent, deletionRequestedAt }) => agent !== null && deletionRequestedAt === null),
    ({ agent }) => agent!
  )
  const counts = [...byAgent].map(([agent, { length }]) => `${agent} (${length})`).toSorted()
  return counts.length === 0 ? "" : `, on agents ${counts.join(", ")}`
}

const isUnderWay = ({ deletionRequestedAt, state }: InstanceView): boolean =>
  state !== "RUNNING" || deletionRequestedAt !== null

const whyNotDone = ({ deletionRequestedAt, failure, failures, parkedAt, reason, state }: InstanceView): string =>
  [
    state,
    ...(reason === null ? [] : [reason]),
    ...(failure === null ? [] : [`${inLine(failure)} (${failures} in a row)`]),
    ...(parkedAt === null ? [] : [`parked ${ageOf(parkedAt)}`]),
    ...(deletionRequestedAt === null ? [] : ["its end was asked for"])
  ].join(", ")

function conditionsText(conditions: FleetView["conditions"] = []): ReadonlyArray<string> {
  if (conditions.length === 0) return []
  const rows = conditions.map(({ lastTransitionAt, message, reason, status, type }) => [
    type,
    status,
    ageOf(lastTransitionAt),
    reason,
    message
  ])
  return ["", ...indented(table(["condition", "status", "since", "reason", "message"], rows))]
}

const indented = (text: string): ReadonlyArray<string> => text.split("\n").map((line) => `  ${line}`)

function eventsText(events: ReadonlyArray<EventView>): ReadonlyArray<string> {
  if (events.length === 0) return ["Nothing happened to it in the last 24 hours but what was wished"]
  const { head, row } = listings.events
  return ["What happened", ...indented(table(head, events.map(row)))]
}

function changesText(changes: ReadonlyArray<Entry> | undefined): ReadonlyArray<string> {
  if (changes === undefined) return ["What was asked of it is in the audit, for keys with the verb admin"]
  if (changes.length === 0) return [`Nothing was asked of it in the last ${lookedThrough} entries of the audit`]
  const rows = changes
    .slice(-shownMax)
    .map(({ action, at, principal, revision, status }) => [
      ageOf(at),
      principal,
      action,
      String(status),
      revision === null ? "" : String(revision)
    ])
  return ["Asked of it", ...indented(table(["", "by", "action", "status", "revision"], rows))]
}

/** The newest. */
const eventsOf = async (
  remote: Remote,
  of: { readonly fleet: string } | { readonly instance: string }
): Promise<ReadonlyArray<EventView>> =>
  (await get(remote, "events", { ...of, limit: eventsMax })).documents as ReadonlyArray<EventView>

/** Undefined for who may not read the audit. */
const changesOf = async (remote: Remote, path: string): Promise<ReadonlyArray<Entry> | undefined> =>
  asking(remote, (client) => client.audit.list({ query: { limit: lookedThrough } })).then(
    ({ entries }) => entries.filter((entry) => entry.path === path),
    () => undefined
  )
