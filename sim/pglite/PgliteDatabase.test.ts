/** The production adapter, driver and SQL on simulated nodes, over a network that fails, to PGlite. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import path from "node:path"
import { promisify } from "node:util"
import { boot } from "../../adapters/cli/bootPglite.ts"
import type { Committed } from "../../core/facts/Envelope.ts"
import { emit } from "../../core/facts/Facts.ts"
import { add, and, eq, now } from "../../core/ports/Condition.ts"
import { Storage, type StorageError, type Transaction, leases } from "../../core/ports/Storage.ts"
import { type Table, integer, make, timestamp } from "../../core/ports/Table.ts"
import { catalogue } from "../../scenarios/catalogue.ts"
import { all, judged } from "../../scenarios/conformance.fixture.ts"
import { epochMicros } from "../kernel/NodeClock.ts"
import { faultKinds } from "../nemesis/faultKinds.ts"
import * as SimHttpClient from "../network/SimHttpClient.ts"
import { runScenario } from "../run/Simulation.ts"
import type { RunRequest } from "../run/Verdict.ts"
import { World } from "../run/World.ts"
import { type Database, type Databases, model } from "../storage/Databases.ts"
import { accounts } from "../storage/Dialogue.ts"
import type { DatabaseOptions } from "../storage/SimDatabase.ts"

const moments = make("moments", { columns: { id: integer, began: timestamp }, primaryKey: ["id"] })
const entries = make("entries", { columns: { id: integer }, primaryKey: ["id"], isAppendOnly: true })
const tables = [accounts, leases, moments, entries] as unknown as ReadonlyArray<Table<unknown>>

let pglite: Databases
beforeAll(async () => {
  pglite = await boot()
}, 60_000)

/** A database with accounts 1 and 2 at 10 and 20, and whatever nodes a story adds. */
class Story {
  readonly world: World
  readonly database: Database
  readonly said: Array<string> = []
  readonly commits: Array<Committed> = []
  readonly #databases: Databases

  constructor(databases = pglite, options: Partial<DatabaseOptions> = {}) {
    this.#databases = databases
    this.world = new World({ seed: "1", databases })
    this.world.subscribe(({ fact }) => {
      if (fact._tag === "Said") this.said.push((fact as unknown as { readonly what: string }).what)
      if (fact._tag === "Committed") this.commits.push(fact as Committed)
    })
    this.database = databases.make(this.world, { tables, ...options })
    this.database.place("given", accounts, { id: 1, name: "one", value: 10 })
    this.database.place("given", accounts, { id: 2, name: "two", value: 20 })
    this.world.addNode("database", this.database.program).start()
    this.world.run("100ms")
  }

  node(name: string, program: Effect.Effect<unknown, unknown, Storage>) {
    const node = this.world.addNode(name, Effect.provide(program, this.#databases.layer({ database: "database" })))
    node.start()
    return node
  }

  hazard(kind: string): () => void {
    const covers = (subject: string) => subject.startsWith("n")
    return this.world.hazards.add(kind, { entry: 0, covers, rate: 1, struck: undefined, parameters: {} })
  }

  get values(): ReadonlyArray<unknown> {
    return this.database.committed("accounts").map((row) => row["value"])
  }
}

const say = (what: string) => emit({ _tag: "Said", what } as never)

/** Says how it ended: "ok", or the reason. */
const saying = <A, R>(effect: Effect.Effect<A, StorageError, R>): Effect.Effect<void, never, R> =>
  Effect.matchEffect(effect, {
    onSuccess: () => say("ok"),
    onFailure: ({ label, reason }) =>
      say(`${label}: ${reason._tag}${reason._tag === "Timeout" ? ` (${reason.limit})` : ""}`)
  })

const addTo = (t: Transaction, id: number, amount: number) =>
  t.update(accounts, { where: (row) => eq(row.id, id), set: (row) => ({ value: add(row.value, amount) }) })

const increment = Effect.flatMap(Storage, ({ once }) => once((t) => addTo(t, 1, 1), { label: "increment" }))

const transact = <A, E, R>(body: (t: Transaction) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Storage, ({ transaction }) => transaction(body, { label: "transact" }))

const move = transact((t) => Effect.andThen(addTo(t, 1, -1), addTo(t, 2, 1)))

describe("what a commit says of its rows", () => {
  const lease = { key: "leader", holder: "n1", epoch: 3, acquiredAt: 1, renewedAt: epochMicros, releasedAt: null }
  const program = Effect.gen(function* () {
    const { once, transaction } = yield* Storage
    const fences = [{ lease: "leader", epoch: 3 }]
    yield* once((t) => t.insert(leases, { ...lease, expiresAt: epochMicros + 1 }), { label: "lease/acquire" })
    yield* transaction(
      (t) =>
        Effect.gen(function* () {
          yield* addTo(t, 2, 5)
          yield* t.insert(accounts, { id: 3, name: "three", value: 1 })
          yield* t.insert(accounts, { id: 4, name: "four", value: 1 })
          yield* t.delete(accounts, { where: (row) => eq(row.id, 4) })
          yield* t.update(accounts, { where: (row) => eq(row.id, 3), set: () => ({ id: 9 }) })
          yield* addTo(t, 2, 5)
        }),
      { label: "several", fences }
    )
    yield* once((t) => addTo(t, 1, 1), { label: "fenced/once", fences })
    yield* Effect.exit(transact((t) => Effect.andThen(addTo(t, 1, 100), Effect.die("no more"))))
    yield* once(
      (t) =>
        t.insert(
          accounts,
          { id: 1, name: "one", value: 0 },
          { onConflict: { target: ["id"], action: "update", set: (row) => ({ value: add(row.value, 7) }) } }
        ),
      { label: "upsert" }
    )
    yield* once((t) => t.delete(accounts, { where: () => and() }), { label: "clear" })
  })

  it("is what the model says", () => {
    const [onModel, onPglite] = [model, pglite].map((databases) => {
      const story = new Story(databases)
      story.node("n1", program)
      story.world.run("5s")
      return story.commits.map(({ changes, fences, label }) => ({
        label,
        fences,
        changes: changes.toSorted((one, other) => (one.key < other.key ? -1 : 1))
      }))
    })
    assert.deepStrictEqual(onPglite, onModel)
    assert.deepStrictEqual(
      onPglite?.map(({ label }) => label),
      ["given", "given", "lease/acquire", "several", "fenced/once", "upsert", "clear"]
    )
  })

  it("and what is committed can be looked at", () => {
    const story = new Story()
    story.node("n1", move)
    story.world.run("1s")
    assert.deepStrictEqual(story.values, [9, 21])
  })
})

describe("the database's node", () => {
  it("is given rows by the names of their columns, in whatever order somebody declares them", () => {
    const story = new Story()
    const { id, name, value } = accounts.columns
    const reordered = make("accounts", { columns: { value, name, id }, primaryKey: ["id"] })
    story.database.place("given", reordered, { id: 3, name: "three", value: 30 })
    assert.deepStrictEqual(story.database.committed("accounts").at(-1), { id: 3, name: "three", value: 30 })
  })

  it("gives its own time, to the microsecond, however wrong", () => {
    const story = new Story()
    story.world.node("database").clock.jump(3_600_000_000)
    story.node(
      "n1",
      Effect.flatMap(Storage, ({ once }) => once((t) => t.insert(moments, { id: 1, began: now }), { label: "look" }))
    )
    const before = story.world.nowMicros
    story.world.run("1s")
    const [moment] = story.database.committed("moments")
    const sinceMicros = (moment?.["began"] as number) - epochMicros - 3_600_000_000
    assert.isAtLeast(sinceMicros, before)
    assert.isAtMost(sinceMicros, before + 20_000)
  })

  it("crashed, it loses what was open and keeps what was committed", () => {
    const story = new Story()
    story.node("n1", saying(transact((t) => Effect.andThen(addTo(t, 1, 5), Effect.sleep("500 millis")))))
    story.node("n2", Effect.delay(saying(increment), "100 millis"))
    story.world.run("50ms")
    story.world.node("database").crash("power")
    story.world.node("database").start()
    story.world.run("5s")
    assert.deepStrictEqual(story.values, [11, 20])
    // Its COMMIT is what finds the connection gone: the adapter cannot know that it never had a chance.
    assert.sameMembers(story.said, ["ok", "transact: UnknownOutcome"])
  })

  it("after a failover the last commits never were", () => {
    const story = new Story()
    const writes = Effect.flatMap(Storage, ({ once }) =>
      Effect.gen(function* () {
        yield* once((t) => addTo(t, 1, 1), { label: "kept" })
        yield* Effect.sleep("2 seconds")
        yield* once((t) => addTo(t, 1, 1), { label: "lost" })
        yield* once((t) => t.insert(accounts, { id: 3, name: "three", value: 0 }), { label: "lost" })
        yield* once((t) => t.insert(entries, { id: 1 }), { label: "lost" })
        yield* once((t) => t.delete(accounts, { where: (row) => eq(row.id, 2) }), { label: "lost" })
      })
    )
    story.node("n1", writes)
    story.world.run("3s")
    assert.deepStrictEqual(story.values, [12, 0])
    const parameters = { millis: 1_000 }
    const covers = (subject: string) => subject === "database/2"
    story.world.hazards.add("storage/failover", { entry: 0, covers, rate: 1, struck: undefined, parameters })
    story.world.node("database").crash("failover")
    story.world.node("database").start()
    story.world.run("1s")
    assert.sameMembers([...story.values], [11, 20])
    assert.deepStrictEqual(story.database.committed("entries"), [])
    story.node("n2", saying(increment))
    story.world.run("1s")
    assert.sameMembers([...story.values], [12, 20])
    assert.deepStrictEqual(story.said, ["ok"])
  })

  it("one in a transaction keeps the others waiting, no longer than their limit", () => {
    const story = new Story()
    story.node("n1", saying(transact((t) => Effect.andThen(addTo(t, 1, 5), Effect.sleep("900 millis")))))
    story.node("n2", Effect.delay(saying(increment), "50 millis"))
    story.world.run("5s")
    assert.deepStrictEqual(story.said, ["increment: Timeout (lock)", "ok"])
    assert.deepStrictEqual(story.values, [15, 20])
  })

  it("a silent owner is ended, and whoever crashed inside a transaction too", () => {
    const story = new Story()
    const holder = story.node(
      "n1",
      transact((t) => Effect.andThen(addTo(t, 1, 5), Effect.never))
    )
    story.world.run("50ms")
    holder.crash("power")
    story.node("n2", Effect.delay(saying(increment), "1500 millis"))
    story.world.run("5s")
    assert.deepStrictEqual(story.values, [11, 20])
    assert.deepStrictEqual(story.said, ["ok"])
  })
})

describe("a fault of the storage", () => {
  const cases = [
    ["serialization-failure", increment, ["increment: SerializationFailure"], 10],
    ["deadlock", increment, ["increment: Deadlock"], 10],
    ["lock-timeout", increment, ["increment: Timeout (lock)"], 10],
    ["statement-timeout", increment, ["increment: Timeout (statement)"], 10],
    ["pool-exhausted", increment, ["increment: Unavailable"], 10],
    ["cut-before-commit", increment, ["increment: UnknownOutcome"], 10],
    ["cut-after-commit", increment, ["increment: UnknownOutcome"], 11],
    ["cut-before-commit", move, ["transact: UnknownOutcome"], 10],
    ["cut-after-commit", move, ["transact: UnknownOutcome"], 9],
    ["serialization-failure", move, ["transact: SerializationFailure"], 10],
    ["idle-timeout", move, ["transact: Unavailable"], 10],
    ["disk-full", increment, ["increment: Unavailable"], 10],
    ["disk-full", move, ["transact: Unavailable"], 10],
    ["latency", increment, ["ok"], 11]
  ] as const
  for (const [fault, program, said, value] of cases) {
    it(`${fault} of ${program === move ? "a transaction" : "a statement alone"}: ${said.join(", ")}`, () => {
      const story = new Story()
      const heal = story.hazard(`storage/${fault}`)
      story.node("n1", saying(program))
      story.world.run("10s")
      assert.deepStrictEqual(story.said, [...said])
      assert.strictEqual(story.values[0], value)
      assert.isAbove(story.world.kernel.facts.effects.get(`storage/${fault}`) ?? 0, 0)
      heal()
      story.node("n2", saying(increment))
      story.world.run("10s")
      assert.deepStrictEqual(story.said, [...said, "ok"], "healed, it works")
    })
  }

  it("silent-client: the transaction stays open until its limit, and its program hears of it only later", () => {
    const story = new Story()
    story.hazard("storage/silent-client")
    story.node("n1", saying(move))
    story.world.run("10s")
    assert.strictEqual(story.values[0], 10)
    assert.strictEqual(story.said.length, 1)
    assert.match(story.said[0] ?? "", /^transact: (Unavailable|Timeout)/)
  })
})

describe("a partition", () => {
  it("before COMMIT nothing has happened; after it, nobody knows", () => {
    for (const [when, expected] of [
      ["before", "transact: Unavailable"],
      ["after", "transact: UnknownOutcome"]
    ] as const) {
      const story = new Story()
      let heal: (() => void) | undefined
      story.world.subscribe(({ fact }) => {
        const what = when === "before" ? "Said" : "Committed"
        if (fact._tag === what && heal === undefined) heal = story.world.network.partition(["n1"], ["database"])
      })
      const body = (t: Transaction) => Effect.andThen(addTo(t, 1, 5), Effect.andThen(say("cut"), addTo(t, 2, 5)))
      story.node("n1", saying(transact(body)))
      story.world.run("20s")
      assert.strictEqual(story.said.at(-1), expected)
      assert.deepStrictEqual(story.values, when === "before" ? [10, 20] : [15, 25])
      heal?.()
    }
  })
})

describe("scenarios on PGlite", () => {
  const run = async (scenario: string, seed: string) => {
    const entry = catalogue.find(({ name }) => name === scenario)
    const request: RunRequest = { scenario, seed, strategy: "random", storage: "pglite" }
    return runScenario(await entry!.load(), request, { kinds: faultKinds, databases: pglite })
  }

  it("pass, and are the same whatever ran before in the thread, and in another process", async () => {
    const names = ["lease/leader-killed", "storage/database-restarted-under-load"] as const
    const first = [await run(names[0], "1"), await run(names[1], "2")]
    const second = [await run(names[1], "2"), await run(names[0], "1")].toReversed()
    for (const { verdict } of first) assert.strictEqual(verdict._tag, "passed")
    const digests = first.map(({ digest }) => digest)
    assert.deepStrictEqual(
      second.map(({ digest }) => digest),
      digests
    )
    const stormglass = path.join(import.meta.dirname, "../../adapters/cli/stormglass.js")
    const args = [stormglass, "replay", names[1], "--seed", "2", "--storage", "pglite", "--json"]
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 })
    assert.strictEqual((JSON.parse(stdout) as { readonly digest: string }).digest, digests[1])
  }, 240_000)
})

describe("a control plane on PGlite", () => {
  // covers A31
  it("keeps its laws", () => {
    assert.deepStrictEqual(judged({ c: SimHttpClient.layer }, { databases: pglite, nodes: 1 }).get("c"), {
      kept: all,
      broken: {}
    })
  })
})
