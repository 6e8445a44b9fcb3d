/** Two walls between tenants: what a handler asks for, and what the store shows it. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Client from "../core/client/Client.ts"
import { withKey } from "../core/client/withKey.ts"
import type { Verb } from "../core/identity/Access.ts"
import * as ApiKey from "../core/identity/ApiKey.ts"
import * as FailureFile from "../reports/FailureFile.ts"
import { Supervisor } from "../sim/host/Supervisor.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import { instanceOfAnybody } from "./mutants/instanceOfAnybody.ts"

const catalogue = new URL("catalogue.ts", import.meta.url)
const saved = FailureFile.parse(readFileSync(new URL(`corpus/${instanceOfAnybody.name}.json`, import.meta.url), "utf8"))

describe("a handler that forgets to ask whose an instance is", { timeout: 60_000 }, () => {
  it("shows nothing of another tenant, for the store has not shown it", async () => {
    const [forgetful, ...others] = instanceOfAnybody.edits
    assert.isNotEmpty(others, "with the second wall gone as well it does: see the corpus")
    const mutant = { name: "forgetful-handler", edits: [forgetful!] }
    const supervisor = new Supervisor({ catalogue, mutant, jobs: 1, runMillisMax: 60_000 })
    try {
      // Past the moment at which it is shown without the second wall.
      const untilMicros = (saved.verdict as { readonly atMicros: number }).atMicros + 1_000_000
      const { result } = await supervisor.run({ ...FailureFile.requestOf(saved), untilMicros })
      assert.deepStrictEqual(result.verdict, { _tag: "passed" })
    } finally {
      await supervisor.close()
    }
  })
})

describe("the list of projects", () => {
  const limits = { principal: { perSecond: 100, burst: 100 }, project: { perSecond: 100, burst: 100 } }
  const keys: Readonly<Record<string, readonly [verb: Verb, ...projects: ReadonlyArray<string>]>> = {
    one: ["read", "bob"],
    several: ["read", "alice", "carol", "dave"],
    all: ["read", "*"],
    writer: ["write", "alice"]
  }
  const tokenOf = (name: string): ApiKey.Token => ({
    id: ApiKey.hashOf(name).slice(0, 16),
    secret: ApiKey.hashOf(`secret of ${name}`)
  })

  it("shows each those that his key is for and that there are, and nobody whose key reads nothing", () => {
    const world = new World({ seed: "1" })
    const [address] = Cluster.build(world, { nodes: 1, agents: 1, limits }).addresses
    const run = (
      name: string,
      story: Effect.Effect<void, unknown, HttpClient.HttpClient>,
      http: typeof SimHttpClient.layer
    ) => {
      world.addNode(name, Effect.provide(Effect.orDie(story), http), { mustEnd: true }).start()
      world.run("30s")
    }
    const made = Effect.gen(function* () {
      yield* Effect.sleep(20_000)
      const client = yield* Client.make(address!)
      let nth = 0
      const headers = () => ({ "idempotency-key": `k-${++nth}` })
      const payload = { desired: 0, spec: { image: "web:1", size: "small" } } as const
      for (const project of ["alice", "bob", "carol", "eve"]) {
        yield* client.fleets.put({ params: { project, name: "web" }, query: {}, headers: headers(), payload })
      }
      for (const [principal, [verb, ...projects]] of Object.entries(keys)) {
        const { id, secret } = tokenOf(principal)
        const wanted = { principal, verbs: [verb], projects, hash: ApiKey.hashOf(secret) }
        yield* client.keys.put({ params: { key: id }, headers: headers(), payload: wanted })
      }
    })
    run("admin", made, Cluster.httpClient({ limits }))
    const shown: Record<string, ReadonlyArray<string> | string> = {}
    for (const name of Object.keys(keys)) {
      const asked = Effect.gen(function* () {
        const client = yield* Client.make(address!)
        shown[name] = yield* client.projects.list({ query: {} }).pipe(
          Effect.map(({ items }) => items.map((each) => each.name)),
          Effect.catchTag("Forbidden", ({ _tag }) => Effect.succeed(_tag))
        )
      })
      run(name, asked, withKey(Redacted.make(ApiKey.format(tokenOf(name))), SimHttpClient.layer))
    }
    assert.deepStrictEqual(shown, {
      one: ["bob"],
      several: ["alice", "carol"],
      all: ["alice", "bob", "carol", "eve"],
      writer: "Forbidden"
    })
  })
})
