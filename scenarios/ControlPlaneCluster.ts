/**
 * The world of most scenarios: nodes of the control plane, their database, and whoever calls them.
 */
import * as Layer from "effect/Layer"
import type { Envelope, RowChange } from "../core/facts/Envelope.ts"
import * as ControlPlane from "../core/ControlPlane.ts"
import { type LeaseProfile, profileDefault } from "../core/lease/Lease.ts"
import { fleets, fleetStatuses } from "../core/fleet/Fleet.ts"
import { agents } from "../core/heartbeat/Heartbeat.ts"
import { idempotencyKeys } from "../core/idempotency/IdempotencyKey.ts"
import { instances } from "../core/instance/Instance.ts"
import { members } from "../core/member/Member.ts"
import { leases } from "../core/ports/Storage.ts"
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
}

/** Short, so that what failed is tried again within the liveness phase. */
const backoffMillisMax = 4_000

const tables = [leases, members, idempotencyKeys, fleets, fleetStatuses, instances, agents] as unknown as ReadonlyArray<
  Table<unknown>
>

/** Builds and starts database and nodes. */
export const build = (world: World, options: ClusterOptions): ControlPlaneCluster => {
  const database = new SimDatabase(world, { name: databaseName, tables })
  const provider = new SimProvider(world)
  const holders = followHolders(world)
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
  return { database, provider, nodes, leaderOf }
}

/** Who holds which lease, by the rows of the store: a fold over the facts. */
function followHolders(world: World): ReadonlyMap<string, string> {
  const holders = new Map<string, string>()
  world.subscribe(({ fact }: Envelope) => {
    if (fact._tag !== "Committed") return
    for (const { after, table } of (fact as unknown as { readonly changes: ReadonlyArray<RowChange> }).changes) {
      if (table !== leases.name || after === null) continue
      const { holder, key, releasedAt } = after as {
        readonly holder: string
        readonly key: string
        readonly releasedAt: number | null
      }
      if (releasedAt === null) holders.set(key, holder.split("/")[0] as string)
      else holders.delete(key)
    }
  })
  return holders
}
