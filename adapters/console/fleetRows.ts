/** Fleets with their counters and what their instances are doing; instances on their way. Pure. */
import { unstable } from "../../core/fleet/unstable.ts"
import type { FleetView, InstanceView } from "../../core/api/Views.ts"
import type { Tables, Told } from "./documents.ts"

/** What matters of an instance at a glance. */
export const doings = ["running", "starting", "changing", "failed", "leaving"] as const
export type Doing = (typeof doings)[number]

export const doingOf = ({ deletionRequestedAt, state }: Pick<InstanceView, "deletionRequestedAt" | "state">): Doing => {
  if (deletionRequestedAt !== null || state === "DELETING" || state === "DELETED") return "leaving"
  switch (state) {
    case "RUNNING":
      return "running"
    case "PENDING":
    case "CREATING":
      return "starting"
    case "ERROR":
      return "failed"
    default:
      return "changing"
  }
}

export interface FleetRow extends FleetView {
  /** Undefined: it is as it is wanted. */
  readonly why: string | undefined
  readonly doing: Readonly<Record<Doing, number>>
  /** Of its instances that do not run, why the one failed that failed most often in a row. */
  readonly failing: string | undefined
}

/** Why it failed last, and how often in a row; undefined where it did not. */
export const failureOf = ({ failure, failures }: Pick<InstanceView, "failure" | "failures">): string | undefined => {
  if (failure === null || failures === null) return undefined
  return failures > 1 ? `${failure}, ${failures} times in a row` : failure
}

/** By name. The counters are those of the leader; what instances do is what they say themselves, and so is often ahead. */
export const fleetRows = (tables: Tables): ReadonlyArray<FleetRow> => {
  const doing = new Map<string | null, Record<Doing, number>>()
  const failing = new Map<string | null, InstanceView>()
  for (const { document } of tables.instance.values()) {
    const isWorse = (document.failures ?? 0) > (failing.get(document.fleet)?.failures ?? 0)
    if (isWorse && document.state !== "RUNNING") failing.set(document.fleet, document)
    const counts = doing.get(document.fleet) ?? noDoing()
    counts[doingOf(document)]++
    doing.set(document.fleet, counts)
  }
  return [...tables.fleet]
    .map(([id, { document }]) => {
      const fleet: FleetView = { ...document, status: tables["fleet-status"].get(id)?.document ?? null }
      const worst = failing.get(id)
      return {
        ...fleet,
        why: unstable(fleet),
        doing: doing.get(id) ?? noDoing(),
        failing: worst === undefined ? undefined : failureOf(worst)
      }
    })
    .toSorted((one, other) => compare(one.name, other.name))
}

const noDoing = (): Record<Doing, number> => ({ running: 0, starting: 0, changing: 0, failed: 0, leaving: 0 })

/** Those that need more to happen, whoever asks for it: the failed first, then those who have been on their way for longest. */
export const onTheirWay = (tables: Tables): ReadonlyArray<Told<"instance">> =>
  [...tables.instance.values()]
    .filter(({ document }) => doingOf(document) !== "running" && document.state !== "STOPPED")
    .toSorted(
      (one, other) =>
        Number(other.document.state === "ERROR") - Number(one.document.state === "ERROR") ||
        (one.sinceMillis ?? 0) - (other.sinceMillis ?? 0) ||
        compareNames(one.document, other.document)
    )

/** What was asked of an instance: its agent as of a revision. */
export type Placed = Pick<InstanceView, "agent" | "revision">

/** Which agent speaks for what, as far as it is known: what was told with an instance's last change, or asked since. */
export const agentsOf = (tables: Tables, asked: ReadonlyMap<string, Placed>): ReadonlyMap<string, string> => {
  const agents = new Map<string, string>()
  for (const { document } of tables.instance.values()) {
    const placed = asked.get(document.uid)
    const { agent } = placed !== undefined && placed.revision >= document.revision ? placed : document
    if (agent !== null) agents.set(document.uid, agent)
  }
  return agents
}

/** Those of a fleet by their number; `wanted` are words that all must be in the name, the state, the reason or the uid. */
export const instancesFound = (tables: Tables, wanted: string): ReadonlyArray<Told<"instance">> => {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean)
  return [...tables.instance.values()]
    .filter(({ document }) => {
      const { name, reason, state, uid } = document
      const text = `${name} ${state} ${doingOf(document)} ${reason ?? ""} ${uid}`.toLowerCase()
      return words.every((word) => text.includes(word))
    })
    .toSorted((one, other) => compareNames(one.document, other.document))
}

function compareNames(one: InstanceView, other: InstanceView): number {
  return (
    compare(one.fleet ?? "", other.fleet ?? "") ||
    (one.ordinal ?? 0) - (other.ordinal ?? 0) ||
    compare(one.name, other.name) ||
    compare(one.uid, other.uid)
  )
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
