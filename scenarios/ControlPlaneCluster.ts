/**
 * The world of most scenarios: nodes of the control plane, their database, and whoever calls them.
 */
import * as Layer from "effect/Layer"
import type { Envelope, RowChange } from "../core/facts/Envelope.ts"
import * as ControlPlane from "../core/ControlPlane.ts"
import { groups, leaseOf } from "../core/bucket/Bucket.ts"
import * as Leader from "../core/Leader.ts"
import { type LeaseProfile, profileDefault } from "../core/lease/Lease.ts"
import { fleets, fleetStatuses } from "../core/fleet/Fleet.ts"
import { agents } from "../core/heartbeat/Heartbeat.ts"
import { idempotencyKeys } from "../core/idempotency/IdempotencyKey.ts"
import { instances } from "../core/instance/Instance.ts"
import { members } from "../core/member/Member.ts"
import { leases, type LeaseRow } from "../core/ports/Storage.ts"
import type { Table } from "../core/ports/Table.ts"
import { SimProvider } from "../sim/provider/SimProvider.ts"
import * as SimNodeExit from "../sim/node/SimNodeExit.ts"
import type { World } from "../sim/run/World.ts"
import { SimDatabase } from "../sim/storage/SimDatabase.ts"
import * as SimStorage from "../sim/storage/SimStorage.ts"

export const databaseName = "database"

export interface ClusterOptions {
  readonly nodes: number
  readonly profile?: LeaseProfile
}

export interface ControlPlaneCluster {
  readonly database: SimDatabase
  readonly provider: SimProvider
  /** "n1", "n2", … */
  readonly nodes: ReadonlyArray<string>
  /** The node that holds the lease by the store, whether or not it knows. */
  readonly leaderOf: (lease: string) => string | undefined
  /** True when a live node leads, every bucket group is owned by a live node and no lease has moved for a while. */
  readonly leasesSettled: () => true | string
}

/** Leases that have not moved for so long have settled: longer than the join debounce and a round of assignment. */
const settledMicros = 7_000_000

/** Short, so that what failed is tried again within the liveness phase. */
const backoffMillisMax = 4_000

const tables = [leases, members, idempotencyKeys, fleets, fleetStatuses, instances, agents] as unknown as ReadonlyArray<
  Table<unknown>
>

/** Builds and starts database and nodes. */
export const build = (world: World, options: ClusterOptions): ControlPlaneCluster => {
  const database = new SimDatabase(world, { name: databaseName, tables })
  const provider = new SimProvider(world)
  const { holders, movedAtMicros } = followHolders(world)
  const leaderOf = (lease: string) => holders.get(lease)
  world.addSelector("leaderOf", leaderOf)
  const nodes = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`)
  for (const id of nodes) {
    const profile = options.profile ?? profileDefault
    const program = ControlPlane.layer({ id, address: id, weight: 1, profile, backoffMillisMax }).pipe(
      Layer.provide([SimStorage.layer({ database: databaseName }), SimNodeExit.layer, provider.layer]),
      Layer.launch
    )
    world.addNode(id, program, {
      tags: ["process", "control-plane", "clock"],
      onExit: { _tag: "Restart", afterMicros: 1_000_000 }
    })
  }
  database.node.start()
  for (const id of nodes) world.node(id).start()
  const leasesSettled = () => {
    for (const lease of [Leader.lease, ...Array.from({ length: groups.length }, (_, group) => leaseOf(group))]) {
      const holder = leaderOf(lease)
      if (holder === undefined) return `nobody holds ${lease}`
      if (world.node(holder).state !== "up") return `${lease} is held by ${holder}, which is ${world.node(holder).state}`
    }
    return world.nowMicros - movedAtMicros() >= settledMicros || "leases still move"
  }
  return { database, provider, nodes, leaderOf, leasesSettled }
}

/** Who holds which lease, by the rows of the store: a fold over the facts. */
function followHolders(world: World) {
  const holders = new Map<string, string>()
  let movedAtMicros = 0
  world.subscribe(({ atMicros, fact }: Envelope) => {
    if (fact._tag !== "Committed") return
    for (const { after, before, table } of (fact as unknown as { readonly changes: ReadonlyArray<RowChange> }).changes) {
      if (table !== leases.name || after === null) continue
      const lease = after as unknown as LeaseRow
      if (lease.releasedAt === null) holders.set(lease.key, lease.holder.split("/")[0] as string)
      else holders.delete(lease.key)
      if (before?.["epoch"] !== lease.epoch || lease.releasedAt !== null) movedAtMicros = atMicros
    }
  })
  return { holders: holders as ReadonlyMap<string, string>, movedAtMicros: () => movedAtMicros }
}
