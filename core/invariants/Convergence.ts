/**
 * I10 and I19: what is desired is reached, all who are there see each other, and every bucket has the owner it should have, once the faults are over. No invariant, because while faults are
 * on it need not hold: a fold that can be asked what is still missing.
 */
import { groups, leaseOf } from "../bucket/Bucket.ts"
import type { Envelope } from "../facts/Envelope.ts"
import { type Fleet, fleets, type FleetStatus, fleetStatuses } from "../fleet/Fleet.ts"
import { type Instance, instances } from "../instance/Instance.ts"
import * as Leader from "../Leader.ts"
import { holderOf, type Member, members, shareholders, versionOf } from "../member/Member.ts"
import type { Assigned } from "../member/MemberFacts.ts"
import type { ProviderFact } from "../ports/Provider.ts"
import { leases } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"
import { rowChanges } from "./rowChanges.ts"

export interface Convergence {
  readonly step: (envelope: Envelope) => void
  /** One line for each thing that is not yet as it should be; empty when all is. */
  readonly missing: (nowMicros: number) => ReadonlyArray<string>
}

export const start = (): Convergence => {
  const fleetRows = new Map<string, Fleet>()
  const statusRows = new Map<string, FleetStatus>()
  const instanceRows = new Map<string, Instance>()
  /** Who holds each lease, and until when it lasts in listener time. */
  const leaseRows = new Map<string, { readonly holder: string; readonly untilMicros: number }>()
  /** The members that have not left, and until when they count as live in listener time. */
  const memberRows = new Map<string, { readonly row: Member; readonly untilMicros: number }>()
  const assignments = new Map<string, Assigned>()
  let liveMicros = 0
  /** Resources that exist, by their own name: the uid of each. */
  const resources = new Map<string, string>()

  const missingOfFleet = (fleet: Fleet): ReadonlyArray<string> => {
    const members = [...instanceRows.values()].filter((instance) => instance.fleet === fleet.id)
    const running = members.filter((each) => each.state === "RUNNING" && each.deletionRequestedAt === null).length
    const status = statusRows.get(fleet.id)
    return [
      ...(running === fleet.desired ? [] : [`fleet ${fleet.id}: ${running} of ${fleet.desired} run`]),
      ...(fleet.scaledGeneration === fleet.generation ? [] : [`fleet ${fleet.id}: not scaled for its generation`]),
      ...(status?.observedGeneration === fleet.generation && status.running === running
        ? []
        : [`fleet ${fleet.id}: not counted since`])
    ]
  }

  const missingOfInstance = (instance: Instance): ReadonlyArray<string> =>
    instance.state === "RUNNING" && instance.deletionRequestedAt === null
      ? []
      : [`instance ${instance.uid}: ${instance.state}${instance.deletionRequestedAt === null ? "" : ", to be gone"}`]

  const missingOutside = (): ReadonlyArray<string> => {
    const uids = [...resources.values()]
    return [
      ...uids.filter((uid) => !instanceRows.has(uid)).map((uid) => `resource of ${uid}: nobody owns it`),
      ...[...instanceRows.values()]
        .filter(({ uid, state }) => state === "RUNNING" && !uids.includes(uid))
        .map(({ uid }) => `instance ${uid}: runs by its row, and is not there`)
    ]
  }

  /** All who are live see each other, and each has what it should have. */
  const missingOfMembers = (nowMicros: number): ReadonlyArray<string> => {
    const live = [...memberRows.values()].filter(({ untilMicros }) => untilMicros > nowMicros).map(({ row }) => row)
    const sharing = shareholders(live, live)
    const version = versionOf(sharing)
    return sharing.flatMap((member) => {
      const assigned = assignments.get(member.id)
      if (assigned?.version !== version) return [`member ${member.id}: does not yet see who else is there`]
      return assigned.bucketGroups
        .filter((group) => leaseRows.get(leaseOf(group))?.holder !== holderOf(member))
        .map((group) => `member ${member.id}: waits for bucket group ${group}`)
    })
  }

  return {
    step: (envelope) => {
      keep(fleetRows, envelope, fleets)
      keep(statusRows, envelope, fleetStatuses)
      keep(instanceRows, envelope, instances)
      for (const { key, after } of rowChanges(envelope, leases)) {
        if (after === null || after.releasedAt !== null) {
          leaseRows.delete(key)
          continue
        }
        liveMicros = after.expiresAt - after.renewedAt
        leaseRows.set(key, { holder: after.holder, untilMicros: envelope.atMicros + liveMicros })
      }
      for (const { key, after } of rowChanges(envelope, members)) {
        if (after === null || after.leavingAt !== null) memberRows.delete(key)
        else memberRows.set(key, { row: after, untilMicros: envelope.atMicros + liveMicros })
      }
      if (envelope.fact._tag === "Assigned") {
        const assigned = envelope.fact as Assigned
        assignments.set(assigned.id, assigned)
      }
      const fact = envelope.fact as ProviderFact
      if (fact._tag === "ProviderStarted") resources.set(fact.resource, fact.uid)
      if (fact._tag === "ProviderStopped") resources.delete(fact.resource)
    },
    missing: (nowMicros) => [
      ...[Leader.lease, ...groups.map(leaseOf)]
        .filter((lease) => (leaseRows.get(lease)?.untilMicros ?? 0) <= nowMicros)
        .map((lease) => `lease ${lease}: nobody holds it`),
      ...missingOfMembers(nowMicros),
      ...[...fleetRows.values()].flatMap(missingOfFleet),
      ...[...instanceRows.values()].flatMap(missingOfInstance),
      ...missingOutside()
    ]
  }
}

function keep<R>(rows: Map<string, R>, envelope: Envelope, table: Table<R>): void {
  for (const { key, after } of rowChanges(envelope, table)) {
    if (after === null) rows.delete(key)
    else rows.set(key, after)
  }
}
