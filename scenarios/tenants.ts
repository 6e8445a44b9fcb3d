/**
 * Two tenants, each with a project and keys of its own, and somebody who makes, rotates and revokes these keys while they are used: with the
 * present key, with earlier ones, on their own project and on the other's.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Client from "../core/client/Client.ts"
import { watchBySocket } from "../core/client/watch.ts"
import { dialWithKey, withKey } from "../core/client/withKey.ts"
import { emit } from "../core/facts/Facts.ts"
import { type Invariant, toCheck, Violation } from "../core/invariants/Invariant.ts"
import { all } from "../core/invariants/all.ts"
import * as ApiKey from "../core/identity/ApiKey.ts"
import * as Dial from "../core/ports/Dial.ts"
import * as SimDial from "../sim/network/SimDial.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const tenants = ["alice", "bob"] as const
type Tenant = (typeof tenants)[number]

const untilMicros = 60_000_000
const limits = { principal: { perSecond: 4, burst: 6 }, project: { perSecond: 4, burst: 8 } }

/** What a tenant was shown or told, of whose projects. */
interface TenantTold {
  readonly _tag: "TenantTold"
  readonly tenant: string
  readonly what: string
  readonly projects: ReadonlyArray<string>
}

const tenantsApart: Invariant<undefined> = {
  name: "tenants-apart",
  states: "A tenant sees and changes what is in its own project, and nothing else (I20).",
  initial: () => undefined,
  step: (_, { fact }) => {
    if (fact._tag !== "TenantTold") return undefined
    const { projects, tenant, what } = fact as unknown as TenantTold
    const others = projects.filter((project) => project !== tenant)
    return others.length === 0
      ? undefined
      : new Violation(`${tenant} was told of ${others.join(", ")}: ${what}`, { tenant, what })
  }
}

/** The nth key of a tenant: both sides know it without telling each other. */
const tokenOf = (tenant: Tenant, nth: number): ApiKey.Token => ({
  id: ApiKey.hashOf(`${tenant}/${nth}`).slice(0, 16),
  secret: ApiKey.hashOf(`secret/${tenant}/${nth}`)
})

interface Shared {
  /** How many keys each tenant was given; the last is the present one. */
  readonly given: Record<Tenant, number>
  /** Instances that anybody was shown. */
  readonly uids: Set<string>
}

const asking = <A, E extends { readonly _tag: string }>(request: Effect.Effect<A, E>) =>
  Effect.option(request).pipe(
    Effect.timeoutOption("3 seconds"),
    Effect.map((answer) => (answer._tag === "Some" && answer.value._tag === "Some" ? answer.value.value : undefined))
  )

const tell = (tenant: Tenant, what: string, projects: ReadonlyArray<string>) =>
  emit<TenantTold>({ _tag: "TenantTold", tenant, what, projects })

/** Until it is answered, with one idempotency key. */
const insisting = <A, E extends { readonly _tag: string }>(request: Effect.Effect<A, E>) =>
  asking(request).pipe(
    Effect.tap((answer) => (answer === undefined ? Effect.sleep("500 millis") : Effect.void)),
    Effect.repeat({ until: (answer) => answer !== undefined, times: 30 })
  )

/** Makes a first key for each tenant, and then another in the place of the last, one way or the other. */
const administer = (world: World, addresses: ReadonlyArray<string>, shared: Shared) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Client.make)
    let nth = 0
    const pick = Effect.map(Random.nextIntBetween(0, clients.length - 1), (index) => clients[index]!)
    const headers = () => ({ "idempotency-key": `admin-${++nth}` })
    const create = Effect.fnUntraced(function* (tenant: Tenant, index: number) {
      const { id, secret } = tokenOf(tenant, index)
      const payload = {
        principal: tenant,
        verbs: ["read", "write"] as const,
        projects: [tenant],
        hash: ApiKey.hashOf(secret),
        ...((yield* Random.next) < 0.3 ? { expiresInSeconds: yield* Random.nextIntBetween(5, 20) } : {})
      }
      const mine = headers()
      const request = Effect.flatMap(pick, (client) => client.keys.put({ params: { key: id }, headers: mine, payload }))
      if ((yield* insisting(request)) !== undefined) shared.given[tenant] = index + 1
    })
    for (const tenant of tenants) yield* create(tenant, 0)
    while (world.nowMicros < untilMicros) {
      yield* Effect.sleep(2_000 + (yield* Random.next) * 10_000)
      const tenant = tenants[yield* Random.nextIntBetween(0, 1)]!
      const index = shared.given[tenant]
      const key = tokenOf(tenant, index - 1).id
      const mine = headers()
      if (index > 0 && (yield* Random.next) < 0.5) {
        const { id, secret } = tokenOf(tenant, index)
        const payload = { id, hash: ApiKey.hashOf(secret), overlapSeconds: yield* Random.nextIntBetween(0, 5) }
        const request = Effect.flatMap(pick, (client) =>
          client.keys.rotate({ params: { key }, headers: mine, payload })
        )
        // One that has expired cannot be rotated.
        if ((yield* insisting(request)) !== undefined) shared.given[tenant] = index + 1
        else yield* create(tenant, index + 1)
      } else {
        const request = Effect.flatMap(pick, (client) => client.keys.revoke({ params: { key }, headers: mine }))
        if (index > 0) yield* insisting(request)
        yield* create(tenant, index)
      }
    }
  })

const live = (tenant: Tenant, world: World, addresses: ReadonlyArray<string>, shared: Shared) =>
  Effect.gen(function* () {
    const told = (what: string, documents: ReadonlyArray<{ readonly project: string }>) =>
      tell(
        tenant,
        what,
        documents.map(({ project }) => project)
      )
    const bare = yield* HttpClient.HttpClient
    let nth = 0

    const once = Effect.gen(function* () {
      const given = shared.given[tenant]
      if (given === 0) return
      // An earlier key, now and then.
      const index = (yield* Random.next) < 0.2 ? yield* Random.nextIntBetween(0, given - 1) : given - 1
      const address = addresses[yield* Random.nextIntBetween(0, addresses.length - 1)]!
      const token = Redacted.make(ApiKey.format(tokenOf(tenant, index)))
      const client = yield* Client.make(address).pipe(
        Effect.provide(withKey(token, Layer.succeed(HttpClient.HttpClient, bare)))
      )
      const project = (yield* Random.next) < 0.8 ? tenant : tenants[yield* Random.nextIntBetween(0, 1)]!
      const headers = { "idempotency-key": `${tenant}-${++nth}` }
      const uids = [...shared.uids].toSorted()
      const uid = uids.length === 0 ? "none" : uids[yield* Random.nextIntBetween(0, uids.length - 1)]!
      switch (yield* Random.nextIntBetween(0, 4)) {
        case 0: {
          const payload = {
            desired: yield* Random.nextIntBetween(0, 2),
            spec: { image: "web", size: "small" }
          } as const
          const fleet = yield* asking(
            client.fleets.put({ params: { project, name: "web" }, query: {}, headers, payload })
          )
          return yield* told("put a fleet", fleet === undefined ? [] : [fleet])
        }
        case 1:
          return yield* told(
            "listed fleets",
            (yield* asking(client.fleets.list({ params: { project }, query: {} })))?.items ?? []
          )
        case 2: {
          const instances = (yield* asking(client.instances.list({ params: { project }, query: {} })))?.items ?? []
          for (const { uid } of instances) shared.uids.add(uid)
          yield* told("listed instances", instances)
          const events = (yield* asking(client.events.list({ params: { project }, query: {} })))?.items ?? []
          return yield* told("listed events", events)
        }
        case 3: {
          const instance = yield* asking(client.instances.get({ params: { uid } }))
          return yield* told(`got ${uid}`, instance === undefined ? [] : [instance])
        }
        default: {
          const instance = yield* asking(client.instances.delete({ params: { uid }, query: {}, headers }))
          return yield* told(`asked for the end of ${uid}`, instance === undefined ? [] : [instance])
        }
      }
    })
    while (world.nowMicros < untilMicros) {
      yield* Effect.sleep((yield* Random.next) * 1_500)
      // Many at once, now and then: more than its share.
      const count = (yield* Random.next) < 0.1 ? 12 : 1
      yield* Effect.all(
        Array.from({ length: count }, () => once),
        { concurrency: "unbounded", discard: true }
      )
    }
  })

/** Watches over a WebSocket with the present key, for as long as it opens anything; then with the next. */
const watches = (tenant: Tenant, addresses: ReadonlyArray<string>, shared: Shared) =>
  Effect.gen(function* () {
    const bare = yield* Dial.Dial
    for (;;) {
      yield* Effect.sleep((yield* Random.next) * 1_000)
      const given = shared.given[tenant]
      if (given === 0) continue
      const project = (yield* Random.next) < 0.8 ? tenant : tenants[yield* Random.nextIntBetween(0, 1)]!
      const token = Redacted.make(ApiKey.format(tokenOf(tenant, given - 1)))
      const watching = watchBySocket({
        addresses,
        path: `/v1/projects/${project}/watch`,
        onFrame: (frame) =>
          frame._tag === "Changes"
            ? tell(
                tenant,
                `watched ${project}`,
                frame.changes.events.map((event) => event.project ?? "the control plane")
              )
            : Effect.void
      })
      yield* Effect.flip(Effect.provide(watching, dialWithKey(token, Layer.succeed(Dial.Dial, bare))))
    }
  }).pipe(Effect.timeoutOption(untilMicros / 1_000), Effect.asVoid)

export const tenantsScenario = make({
  name: "identity/tenants-and-their-keys",
  story: `Two tenants use and watch their projects through all nodes, and try each other's; their keys are made, rotated and revoked meanwhile, and run
out. Nodes are killed, paused and cut off, answers are lost. Nobody sees or changes what is not his, no key opens anything ten seconds after its end,
nobody has more turns than its share on all nodes together, and the audit is whole.`,
  parameters: { clients: [0, 0], agents: [1, 1] },
  safetyMillis: untilMicros / 1_000,
  cluster: { limits },
  invariants: [...all, toCheck(tenantsApart)],
  direct: (world, cluster) => {
    const shared: Shared = { given: { alice: 0, bob: 0 }, uids: new Set() }
    const add = (
      name: string,
      program: Effect.Effect<void, never, HttpClient.HttpClient>,
      http: typeof SimHttpClient.layer
    ) => world.addNode(name, Effect.provide(program, http), { tags: ["client"], mustEnd: true }).start()
    add("admin", administer(world, cluster.addresses, shared), Cluster.httpClient({ limits }))
    for (const tenant of tenants) add(tenant, live(tenant, world, cluster.addresses, shared), SimHttpClient.layer)
    const watcher = Effect.provide(watches("alice", cluster.addresses, shared), SimDial.layer())
    world.addNode("alice-watches", watcher, { tags: ["client"], mustEnd: true }).start()
  },
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [0, 3],
        withinMillis: 50_000,
        forMillis: [500, 10_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      ...repeated(draw.child("pauses"), {
        times: [0, 3],
        withinMillis: 50_000,
        forMillis: [1_000, 15_000],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      }),
      ...repeated(draw.child("cuts"), {
        times: [0, 2],
        withinMillis: 50_000,
        forMillis: [1_000, 12_000],
        fault: { target: "random(control-plane)", fault: "network/partition", with: "database" }
      }),
      throughout("network/answer-lost", [0.001, 0.05]),
      throughout("network/duplication", [0.001, 0.05])
    )
})
