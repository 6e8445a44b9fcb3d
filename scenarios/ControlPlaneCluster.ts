/**
 * The world of most scenarios: nodes of the control plane, their database, the provider and its agents.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Agent from "../core/agent/Agent.ts"
import * as AgentWork from "../core/agent/AgentWork.ts"
import { groups, leaseOf } from "../core/bucket/Bucket.ts"
import * as ControlPlane from "../core/ControlPlane.ts"
import type { Envelope, RowChange } from "../core/facts/Envelope.ts"
import * as Convergence from "../core/invariants/Convergence.ts"
import { dialWithKey, withKey } from "../core/client/withKey.ts"
import { everyProject, type Principal, verbs } from "../core/identity/Access.ts"
import * as Gate from "../core/identity/Gate.ts"
import { idempotencyRetentionMillis } from "../core/Limits.ts"
import * as Leader from "../core/Leader.ts"
import { type LeaseProfile, profileDefault } from "../core/lease/Lease.ts"
import type { Joined } from "../core/member/MemberFacts.ts"
import type * as Dial from "../core/ports/Dial.ts"
import type { Role } from "../core/node/Role.ts"
import { Feed } from "../core/ports/Feed.ts"
import { leases, type LeaseRow } from "../core/ports/Storage.ts"
import type { Table } from "../core/ports/Table.ts"
import type { AdmissionLimits } from "../core/session/Admission.ts"
import * as AgentProvider from "../core/placement/AgentProvider.ts"
import type { SimNode } from "../sim/kernel/SimNode.ts"
import * as Chance from "../sim/kernel/Chance.ts"
import * as SimDial from "../sim/network/SimDial.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import * as SimHttpServer from "../sim/network/SimHttpServer.ts"
import * as SimNodeExit from "../sim/node/SimNodeExit.ts"
import { SimProvider } from "../sim/provider/SimProvider.ts"
import type { World } from "../sim/run/World.ts"
import * as PlainProxy from "./plainProxy.ts"
import type { Database } from "../sim/storage/Databases.ts"

export const databaseName = "database"
export const apiPort = 8081

export interface ClusterOptions {
  readonly nodes: number
  readonly agents?: number
  readonly profile?: LeaseProfile
  /** Default: that of the control plane. */
  readonly keyRetentionMillis?: number
  /** Instances are dealt anew to the agents so often, until then: some move from one to another. Default: never. */
  readonly moves?: { readonly everyMillis: number; readonly untilMillis: number }
  /** How little may wait for a watcher, at the node and on its way to it. Default: as in production. */
  readonly watch?: { readonly bufferMax: number; readonly windowBytes: number }
  /** The agents run the instances, each on a host of its own, as in production. Default: one provider that all nodes call. */
  readonly runsOnAgents?: boolean
  /** The agents reach the nodes through a proxy that upgrades nothing. */
  readonly agentsBehindProxy?: boolean
  /** Each node owns the groups of its index, that of its number, as in development; whoever joins is at the index of n1. */
  readonly isStatic?: boolean
  /** What nodes do that do not do everything. */
  readonly roles?: Readonly<Record<string, ReadonlyArray<Role>>>
  /** Nodes hear of commits, as in production, and look at once for what these are about. Default: they find out when they look. */
  readonly hearsCommits?: boolean
  /** How many handshakes a node takes. Default: as in production. */
  readonly admission?: AdmissionLimits
  /** How often in a row work may fail before it is parked. Default: so often that nothing is, as nobody redrives it. */
  readonly failuresMax?: number
  /** Who comes needs a key, and has so many turns. Default: nobody is asked who he is. */
  readonly limits?: Pick<Gate.GateOptions, "principal" | "project">
}

/** Of whoever looks after the cluster, where keys are needed. */
export const rootToken = "root"
const root: Principal = { name: "root", keyId: null, verbs, projects: [everyProject] }

/** A client that may do everything. */
export const httpClient = ({ limits }: Pick<ClusterOptions, "limits">): typeof SimHttpClient.layer =>
  limits === undefined ? SimHttpClient.layer : withKey(Redacted.make(rootToken), SimHttpClient.layer)

/** The same for who opens sessions. */
export const dial = ({ limits }: Pick<ClusterOptions, "limits">): ReturnType<typeof SimDial.layer> =>
  dialWithKey(limits === undefined ? undefined : Redacted.make(rootToken), SimDial.layer())

export interface ControlPlaneCluster {
  readonly database: Database
  /** The hosts of the agents, where these run instances: "agent-1", … */
  readonly hosts: ReadonlyMap<string, SimProvider>
  /** "n1", "n2", … */
  readonly nodes: ReadonlyArray<string>
  readonly addresses: ReadonlyArray<string>
  /** The node that holds the lease by the store, whether or not it knows. */
  readonly leaderOf: (lease: string) => string | undefined
  /** True when a live node leads, every bucket group is owned by a live node and no lease has moved for a while. */
  readonly leasesSettled: () => true | string
  /** True when, besides, every fleet and every instance is as it is wanted, and nothing outside is without an owner. */
  readonly settled: () => true | string
  /** What is not as it is wanted, one line each. */
  readonly missing: () => ReadonlyArray<string>
  /** Starts another node, on a host of its own name unless another is given. */
  readonly join: (id: string, host?: string) => void
}

const leaseNames: ReadonlyArray<string> = [Leader.lease, ...groups.map(leaseOf)]

/** Leases that have not moved for so long have settled: longer than T, the join debounce and two rounds of assignment. */
const settledMicros = 15_000_000

/** Once agents may speak again, every instance that runs is heard within this: an interval, and some. */
const heardMicros = 25_000_000

/** Short, so that what failed is tried again within the liveness phase. */
const backoffMillisMax = 4_000

/** An agent that flaps is silent for so long, and then for as long as its next interval: given up, or nearly, it comes back. */
const flapMillisMin = 18_000
const flapMillisMax = 40_000

/** Builds and starts everything. */
export const build = (world: World, options: ClusterOptions): ControlPlaneCluster => {
  const tables = ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>
  const database = world.databases.make(world, { tables })
  const provider = new SimProvider(world)
  const hosts = new Map<string, SimProvider>()
  const storage = (options.hearsCommits === true ? world.databases.hinting : world.databases.layer)({
    database: databaseName
  })
  const feed = world.databases.feed({ database: databaseName })
  const { holders, isCurrent, movedAtMicros } = followHolders(world)
  const leaderOf = (lease: string) => holders.get(lease)
  world.addSelector("leaderOf", leaderOf, leaseNames)
  world.addNode(databaseName, database.program, { tags: ["database", "clock"] }).start()

  const gate =
    options.limits === undefined
      ? Gate.open
      : Gate.keyed({ ...options.limits, own: new Map([[rootToken, root]]) }).pipe(Layer.provide(storage))
  const http = httpClient(options)

  const join = (id: string, host = id) => {
    const { failuresMax = 1_000, profile = profileDefault, watch } = options
    const { keyRetentionMillis = idempotencyRetentionMillis } = options
    const config: ControlPlane.ControlPlaneConfig = {
      id,
      address: addressOf(host),
      weight: 1,
      profile,
      backoffMillisMax,
      failuresMax,
      keyRetentionMillis,
      ...(watch === undefined ? {} : { watch }),
      ...(options.admission === undefined ? {} : { admission: options.admission }),
      ...(options.roles?.[id] === undefined ? {} : { roles: options.roles[id] }),
      ...(options.isStatic === true
        ? { staticPlace: { index: Math.max(0, nodes.indexOf(id)), count: options.nodes } }
        : {})
    }
    const node =
      options.hearsCommits === true
        ? Layer.unwrap(Effect.map(Feed, ({ hintsOf }) => ControlPlane.layer({ ...config, hints: hintsOf })))
        : ControlPlane.layer(config)
    const program = node.pipe(
      Layer.provide([
        storage,
        feed,
        gate,
        SimHttpServer.layer({
          port: apiPort,
          gracefulShutdownMillis: 3_000,
          ...(watch === undefined ? {} : { windowBytes: watch.windowBytes })
        }),
        SimNodeExit.layer,
        options.runsOnAgents === true ? Layer.provide(AgentProvider.layer, storage) : provider.layer
      ]),
      Layer.launch
    )
    world
      .addNode(host, program, {
        tags: ["process", "control-plane", "clock"],
        onExit: { _tag: "Restart", afterMicros: 1_000_000 }
      })
      .start()
  }
  const nodes = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`)
  for (const id of nodes) join(id)
  const addresses = nodes.map(addressOf)
  const reached = options.agentsBehindProxy === true ? PlainProxy.start(world, addresses) : addresses
  const agentCount = options.agents ?? 0
  let silentUntilMicros = 0
  const falls = (forMicros: number) => {
    silentUntilMicros = Math.max(silentUntilMicros, world.nowMicros + forMicros)
  }
  world.onHeal(() => falls(0))
  for (let index = 0; index < agentCount; index++) {
    const id = `agent-${index + 1}`
    if (options.runsOnAgents === true)
      hosts.set(id, addWorkingAgent(world, id, reached, Layer.merge(http, dial(options))))
    else addAgent(world, provider, { index, agentCount, addresses, moves: options.moves, falls, http })
  }

  const convergence = Convergence.start()
  world.subscribe(convergence.step)
  const leasesSettled = () => {
    for (const lease of leaseNames) {
      const holder = leaderOf(lease)
      if (holder === undefined) return `nobody holds ${lease}`
      if (!isCurrent(lease)) return `${lease} is held by an earlier incarnation of ${holder}`
      if (world.node(holder).state !== "up")
        return `${lease} is held by ${holder}, which is ${world.node(holder).state}`
    }
    return world.nowMicros - movedAtMicros() >= settledMicros || "leases still move"
  }
  const missing = () => convergence.missing(world.nowMicros)
  const heard = () =>
    world.nowMicros >= silentUntilMicros + heardMicros || "an agent may be silent still, or an instance not heard since"
  const settled = () => {
    const open =
      missing()[0] ?? [provider, ...hosts.values()].map((each) => each.unwell()).find((each) => each !== undefined)
    if (open !== undefined) return open
    const isHeard = heard()
    return isHeard === true ? leasesSettled() : isHeard
  }
  return { database, hosts, nodes, addresses, leaderOf, leasesSettled, settled, missing, join }
}

const addressOf = (id: string): string => `http://${id}:${apiPort}`

/** Runs what it is given, on its own host, which outlives its process. */
function addWorkingAgent(
  world: World,
  id: string,
  addresses: ReadonlyArray<string>,
  network: Layer.Layer<HttpClient.HttpClient | Dial.Dial, never, SimNode>
): SimProvider {
  const host = new SimProvider(world, id)
  const program = Effect.provide(
    AgentWork.run({ id, addresses }),
    Layer.mergeAll(network, SimNodeExit.layer, host.layer)
  )
  world
    .addNode(id, program, {
      tags: ["agent", "process", "clock"],
      onExit: { _tag: "Restart", afterMicros: 1_000_000 }
    })
    .start()
  return host
}

/** Sees the resources that run on its spot, and says so; hazards make it silent. */
function addAgent(
  world: World,
  provider: SimProvider,
  options: {
    readonly index: number
    readonly agentCount: number
    readonly addresses: ReadonlyArray<string>
    readonly moves: ClusterOptions["moves"]
    /** Told when the agent falls silent, and for how long. */
    readonly falls: (forMicros: number) => void
    readonly http: typeof SimHttpClient.layer
  }
): void {
  const id = `agent-${options.index + 1}`
  let beats = 0
  const running = Effect.suspend(() => {
    const nth = beats++
    const { hazards } = world
    const uids = provider.running().filter((uid) => placeOf(world, uid, options) === options.index)
    // Who has nothing to say is not missed when silent.
    const strikes = (kind: string) => {
      const isStruck = hazards.strike(kind, id, nth) !== undefined && uids.length > 0
      if (isStruck) world.kernel.facts.effect(kind)
      return isStruck
    }
    if (strikes("controlled/stale-heartbeat")) return Effect.succeed([])
    if (!strikes("controlled/flapping-agent")) return Effect.succeed(uids)
    const fraction = hazards.fraction("controlled/flapping-agent", id, nth)
    const millis = flapMillisMin + fraction * (flapMillisMax - flapMillisMin)
    options.falls(millis * 1_000)
    return Effect.delay(Effect.succeed(uids), millis)
  })
  const program = Agent.run({ id, addresses: options.addresses, running, onUnknown: () => Effect.void })
  world.addNode(id, Effect.provide(program, options.http), { tags: ["agent", "process", "clock"] }).start()
}

/** The index of the agent that sees the resource now. */
function placeOf(
  world: World,
  uid: string,
  { agentCount, moves }: { readonly agentCount: number; readonly moves: ClusterOptions["moves"] }
): number {
  const deal =
    moves === undefined ? 0 : Math.floor(Math.min(world.nowMicros / 1_000, moves.untilMillis) / moves.everyMillis)
  return (Chance.hashText(deal === 0 ? uid : `${uid}/${deal}`) >>> 0) % agentCount
}

/** Who holds which lease, by the rows of the store: a fold over the facts. */
function followHolders(world: World) {
  const holders = new Map<string, string>()
  /** "n1/3": who holds each lease, and who each member is now. */
  const incarnations = new Map<string, string>()
  const members = new Map<string, string>()
  let movedAtMicros = 0
  world.subscribe(({ atMicros, fact }: Envelope) => {
    if (fact._tag === "Joined") {
      const { id, incarnation } = fact as Joined
      members.set(id, `${id}/${incarnation}`)
    }
    if (fact._tag !== "Committed") return
    for (const { after, before, table } of (fact as unknown as { readonly changes: ReadonlyArray<RowChange> })
      .changes) {
      if (table !== leases.name || after === null) continue
      const lease = after as unknown as LeaseRow
      incarnations.set(lease.key, lease.holder)
      if (lease.releasedAt === null) holders.set(lease.key, lease.holder.split("/")[0] as string)
      else holders.delete(lease.key)
      if (before?.["epoch"] !== lease.epoch || lease.releasedAt !== null) movedAtMicros = atMicros
    }
  })
  const isCurrent = (lease: string) => incarnations.get(lease) === members.get(holders.get(lease) ?? "")
  return { holders: holders as ReadonlyMap<string, string>, isCurrent, movedAtMicros: () => movedAtMicros }
}
