/** Each shared column has one writer, or a few that are named: the table of docs/control-plane.md, for what the commits of a run change. */
import type { RowChange } from "../core/facts/Envelope.ts"
import { commitOf } from "../core/invariants/rowChanges.ts"
import type { World } from "../sim/run/World.ts"

const api = /^(fleets|instances|quotas|keys|agents)\/[a-z]+$/
const mover = /^instance\/(move\/[A-Z]+|begin|park|postpone|settle|remove|forget)$/
const scaler = /^fleet\/(scale|remove)$/
const failing = /^reconcile\/failed\/(fleet|instance)$/
const anybody = /./

/** By table and column, "+" and "-" for rows that come and leave: the labels of those who may. */
const writers: Readonly<Record<string, ReadonlyArray<RegExp>>> = {
  "agents.*": [/^agent\/(register|resume|exchange)$/],
  "audit_log.+": [/^audit\/seal$/],
  "audit_pending.+": [api],
  "audit_pending.-": [/^audit\/seal$/],
  "events.+": [api, scaler, mover, failing, /^heartbeat\/sweep$/],
  "events.-": [/^events\/purge$/],
  "fleet_statuses.*": [/^fleet\/status$/],
  "fleets.+": [api],
  "fleets.-": [scaler],
  "fleets.desired": [api],
  "fleets.generation": [api],
  "fleets.pausedAt": [api],
  "fleets.deletionRequestedAt": [api],
  "fleets.scaledGeneration": [scaler],
  "fleets.dueAt": [anybody],
  "fleets.updatedAt": [api, scaler],
  "idempotency_keys.*": [/^idempotency\/(claim|purge)$/, api],
  "instances.+": [api, scaler],
  "instances.-": [mover],
  "instances.agent": [/^heartbeat\/record$/, /^agent\/exchange$/, mover],
  "instances.agentIncarnation": [/^heartbeat\/record$/, /^agent\/exchange$/, mover],
  "instances.attempt": [mover],
  "instances.deletionRequestedAt": [api, scaler],
  "instances.liveName": [api, scaler],
  "instances.dueAt": [anybody],
  "instances.failures": [api, scaler, mover, failing],
  "instances.failure": [api, scaler, mover, failing],
  "instances.failedAt": [api, scaler, mover, failing],
  "instances.parkedAt": [api, scaler, mover, failing],
  "instances.lastHeartbeatAt": [/^heartbeat\/record$/, /^instance\/move\/RUNNING$/],
  "instances.state": [mover, /^heartbeat\/sweep$/],
  "instances.reason": [mover, /^heartbeat\/sweep$/],
  "instances.readyChangedAt": [mover, /^heartbeat\/sweep$/],
  "instances.revision": [api, scaler, mover, failing, /^heartbeat\/sweep$/],
  "instances.updatedAt": [api, scaler, mover, /^heartbeat\/sweep$/],
  "leases.*": [/^lease\/(acquire|renew|release)$/],
  "members.*": [/^member\/(join|beat|leave)$/],
  "placements.+": [/^placement\/place$/],
  "placements.-": [/^agent\/exchange$/, /^placement\//],
  "placements.observed": [/^agent\/exchange$/],
  "placements.observedAt": [/^agent\/exchange$/],
  "placements.cause": [/^agent\/exchange$/],
  "placements.*": [/^placement\/(place|unplace)$/],
  "rate_limits.*": [/^limits?\//]
}

const columnsOf = ({ after, before }: RowChange): ReadonlyArray<string> => {
  if (before === null) return ["+"]
  if (after === null) return ["-"]
  return Object.keys(after).filter((column) => JSON.stringify(after[column]) !== JSON.stringify(before[column]))
}

/** "instances.state by fleets/put", of what nobody allows. */
export const wrong = (label: string, changes: ReadonlyArray<RowChange>): ReadonlyArray<string> =>
  changes.flatMap((change) =>
    columnsOf(change).flatMap((column) => {
      const allowed = writers[`${change.table}.${column}`] ?? writers[`${change.table}.*`] ?? []
      return allowed.some((each) => each.test(label)) ? [] : [`${change.table}.${column} by ${label}`]
    })
  )

/** What is written from now on, and by whom though he may not. */
export const follow = (world: World) => {
  const written = new Set<string>()
  const found = new Set<string>()
  world.subscribe((envelope) => {
    const commit = commitOf(envelope)
    if (commit === undefined) return
    for (const change of commit.changes) for (const each of columnsOf(change)) written.add(`${change.table}.${each}`)
    for (const each of wrong(commit.label, commit.changes)) found.add(each)
  })
  return { written, found }
}
