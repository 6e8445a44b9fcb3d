/** The storage port of simulated nodes, across a network that fails and a database that does too. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Committed, Envelope } from "../../core/facts/Envelope.ts"
import { emit } from "../../core/facts/Facts.ts"
import { add, clockTimestamp, eq, lt, now, value } from "../../core/ports/Condition.ts"
import { Storage, type StorageError, type Transaction, leases } from "../../core/ports/Storage.ts"
import { integer, make, timestamp } from "../../core/ports/Table.ts"
import { epochMicros } from "../kernel/NodeClock.ts"
import * as Schedule from "../kernel/Schedule.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { faultKinds } from "../nemesis/faultKinds.ts"
import type { Hazard } from "../nemesis/Hazards.ts"
import { World } from "../run/World.ts"
import { accounts } from "./Dialogue.ts"
import type { PoolOptions } from "./Pool.ts"
import { type DatabaseOptions, SimDatabase } from "./SimDatabase.ts"
import * as SimStorage from "./SimStorage.ts"

const moments = make("moments", {
  columns: { id: integer, began: timestamp, moment: timestamp },
  primaryKey: ["id"]
})

/** A database with accounts 1 and 2 at 10 and 20, and whatever nodes a story adds. */
class Story {
  readonly world: World
  readonly database: SimDatabase
  readonly databaseNode: SimNode
  readonly heard: Array<Envelope> = []
  readonly said: Array<string> = []

  constructor(options: { readonly seed?: string; readonly database?: Partial<DatabaseOptions> } = {}) {
    this.world = new World({ seed: options.seed ?? "1", strategy: Schedule.random })
    this.database = new SimDatabase(this.world, { tables: [accounts, leases, moments], ...options.database })
    this.databaseNode = this.world.addNode("database", this.database.program)
    this.world.kernel.facts.subscribeDetailed((envelope) => {
      this.heard.push(envelope)
      if (envelope.fact._tag === "Said") this.said.push((envelope.fact as unknown as { what: string }).what)
    })
    this.databaseNode.start()
    this.node(
      "setup",
      Effect.flatMap(Storage, ({ once }) =>
        once(
          (t) =>
            t.insert(accounts, [
              { id: 1, name: "one", value: 10 },
              { id: 2, name: "two", value: 20 }
            ]),
          { label: "setup" }
        )
      )
    )
    this.world.run("1s")
  }

  /** Starts a node with this program; it says how its transactions ended. */
  node(name: string, program: Effect.Effect<unknown, unknown, Storage>, options: Partial<PoolOptions> = {}): SimNode {
    const node = this.world.addNode(name, Effect.provide(program, SimStorage.layer(options)))
    node.start()
    return node
  }

  hazard(kind: string, hazard: Partial<Hazard> = {}): () => void {
    return this.world.hazards.add(kind, {
      entry: 0,
      covers: (subject) => subject.startsWith("n"),
      rate: 1,
      struck: undefined,
      parameters: {},
      ...hazard
    })
  }

  get values(): ReadonlyArray<unknown> {
    return this.database.committed("accounts").map((row) => row["value"])
  }

  facts(tag: string): ReadonlyArray<Envelope> {
    return this.heard.filter(({ fact }) => fact._tag === tag)
  }

  effects(fault: string): number {
    return this.world.kernel.facts.effects.get(fault) ?? 0
  }
}

const say = (what: string) => emit({ _tag: "Said", what } as never)

/** Says how it ended: "ok", or the reason. */
const saying = <A, R>(name: string, effect: Effect.Effect<A, StorageError, R>): Effect.Effect<void, never, R> =>
  Effect.matchEffect(effect, {
    onSuccess: () => say(`${name}: ok`),
    onFailure: ({ reason }) => say(`${name}: ${reason._tag}${reason._tag === "Timeout" ? ` (${reason.limit})` : ""}`)
  })

const addTo = (t: Transaction, id: number, amount: number) =>
  t.update(accounts, { where: (row) => eq(row.id, id), set: (row) => ({ value: add(row.value, amount) }) })

const increment = (id = 1) =>
  Effect.flatMap(Storage, ({ once }) => once((t) => addTo(t, id, 1), { label: "increment" }))

const transact = <A, R>(body: (t: Transaction) => Effect.Effect<A, StorageError, R>) =>
  Effect.flatMap(Storage, ({ transaction }) => transaction(body, { label: "transact" }))

/** Changes account 1, then does something else while it holds the lock. */
const holding = <R>(meanwhile: Effect.Effect<unknown, never, R>) =>
  transact((t) => Effect.andThen(addTo(t, 1, 5), meanwhile))

describe("a transaction", () => {
  it("commits when its body succeeds, and is told as a fact that the COMMIT message caused", () => {
    const story = new Story()
    story.node(
      "n1",
      saying(
        "n1",
        transact((t) => Effect.andThen(addTo(t, 1, 5), addTo(t, 2, -5)))
      )
    )
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["n1: ok"])
    assert.deepStrictEqual(story.values, [15, 15])
    const committed = story.facts("Committed").at(-1)!
    assert.strictEqual(committed.node, "database")
    const cause = story.heard[committed.cause - 1]!
    assert.deepInclude(cause.fact as object, { _tag: "Delivered", storage: "Commit", label: "transact" })
  })

  it("is rolled back when its body fails, dies or is interrupted, and its connection is used again", () => {
    const story = new Story()
    const fails = transact((t) => Effect.andThen(addTo(t, 1, 5), Effect.fail("no" as never)))
    const dies = transact((t) => Effect.andThen(addTo(t, 1, 5), Effect.die("oh")))
    const hangs = transact((t) => Effect.andThen(addTo(t, 1, 5), Effect.never))
    story.node(
      "n1",
      Effect.gen(function* () {
        yield* say(`failed: ${(yield* Effect.flip(fails)) as unknown as string}`)
        yield* say((yield* Effect.exit(dies))._tag)
        yield* Effect.timeoutOption(hangs, "100 millis")
        yield* saying("after", increment())
      }),
      { connectionsMax: 1 }
    )
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["failed: no", "Failure", "after: ok"])
    assert.deepStrictEqual(story.values, [11, 20])
    assert.strictEqual(story.world.network.link("n1", "database").connections, 1)
  })

  it("that an error doomed cannot succeed, whatever its body makes of the error", () => {
    const story = new Story()
    const body = (t: Transaction) =>
      addTo(t, 1, 5).pipe(
        Effect.andThen(t.insert(accounts, { id: 2, name: "x", value: 1 })),
        Effect.catchTag("StorageError", ({ reason }) => say(reason._tag)),
        Effect.andThen(saying("next call", t.get(accounts, { id: 1 })))
      )
    story.node("n1", saying("n1", transact(body)))
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["UniqueViolation", "next call: Aborted", "n1: Aborted"])
    assert.deepStrictEqual(story.values, [10, 20])
  })

  it("serialises its calls, also when its body makes them at once", () => {
    const story = new Story()
    const body = (t: Transaction) =>
      Effect.all([addTo(t, 1, 1), addTo(t, 1, 1), addTo(t, 2, 1)], { concurrency: "unbounded" })
    story.node("n1", saying("n1", transact(body)))
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["n1: ok"])
    assert.deepStrictEqual(story.values, [12, 21])
  })

  it("refuses a call after its end, and a second statement in once", () => {
    const story = new Story()
    story.node(
      "n1",
      Effect.gen(function* () {
        const { once } = yield* Storage
        const escaped = yield* transact((t) => Effect.succeed(t))
        yield* say((yield* Effect.exit(addTo(escaped, 1, 1)))._tag)
        const two = once((t) => Effect.andThen(addTo(t, 1, 1), addTo(t, 1, 1)), { label: "two" })
        yield* say((yield* Effect.exit(two))._tag)
      })
    )
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["Failure", "Failure"])
  })

  it("answers what its statements answered, in a body and in once", () => {
    const story = new Story()
    const program = Effect.gen(function* () {
      const { once } = yield* Storage
      const [updated] = yield* once((t) => addTo(t, 1, 1), { label: "once" })
      yield* say(`once: ${updated?.value}`)
      yield* say(`count: ${yield* once((t) => t.count(accounts), { label: "count" })}`)
      const read = yield* transact((t) => Effect.andThen(addTo(t, 2, 1), t.get(accounts, { id: 2 })))
      yield* say(`body: ${read?.value}`)
    })
    story.node("n1", program)
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["once: 11", "count: 2", "body: 21"])
  })

  it("once is one round trip, fences included", () => {
    const story = new Story()
    const lease = { holder: "n1", acquiredAt: 0, renewedAt: 0, expiresAt: 0, releasedAt: null }
    const write = (epoch: number) =>
      Effect.flatMap(Storage, ({ once }) =>
        once((t) => addTo(t, 1, 1), { label: "fenced", fences: [{ lease: "leader", epoch }] })
      )
    story.node(
      "n1",
      Effect.gen(function* () {
        const { once } = yield* Storage
        yield* once((t) => t.insert(leases, { key: "leader", epoch: 3, ...lease }), { label: "lease" })
        yield* saying("stale", write(2))
        yield* saying("current", write(3))
      })
    )
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["stale: Fenced", "current: ok"])
    assert.deepStrictEqual(story.values, [11, 20])
    const requests = story.facts("Delivered").filter(({ node, fact }) => node === "database" && "label" in fact)
    assert.strictEqual(requests.length, 1 + 3)
  })

  it("sees the database's time, which may be wrong", () => {
    const story = new Story()
    const record = (id: number) =>
      transact((t) =>
        Effect.andThen(Effect.sleep("100 millis"), t.insert(moments, { id, began: now, moment: clockTimestamp }))
      )
    story.node("n1", Effect.andThen(record(1), Effect.andThen(Effect.sleep("1 second"), record(2))))
    story.world.run("1s")
    story.databaseNode.clock.jump(-3_600_000_000)
    story.world.run("2s")
    const [first, second] = story.database.committed("moments") as ReadonlyArray<{ began: number; moment: number }>
    assert.isAbove(first!.began, epochMicros)
    assert.isAtLeast(first!.moment - first!.began, 100_000)
    assert.isBelow(second!.began, first!.began - 3_500_000_000)
  })

  describe("a fault of the database's clock takes effect when a statement uses a time that it changed", () => {
    const jumped = (story: Story) => story.world.kernel.facts.effects.get("clock/jump") ?? 0
    const insert = (moment: typeof now) => transact((t) => t.insert(moments, { id: 1, began: epochMicros, moment }))
    const cases: ReadonlyArray<{
      readonly statement: string
      readonly program: Effect.Effect<unknown, StorageError, Storage>
      readonly effects: number
    }> = [
      { statement: "one that asks for no time", program: transact((t) => t.select(accounts)), effects: 0 },
      { statement: "now()", program: insert(now), effects: 1 },
      { statement: "clock_timestamp()", program: insert(clockTimestamp), effects: 1 },
      {
        statement: "a condition",
        program: transact((t) => t.select(moments, { where: ({ began }) => lt(began, now) })),
        effects: 1
      }
    ]
    for (const { effects, program, statement } of cases) {
      it(`${statement}: ${effects} times`, () => {
        const story = new Story()
        story.node(
          "earlier",
          transact((t) => t.insert(moments, { id: 0, began: now, moment: now }))
        )
        story.world.run("1s")
        story.databaseNode.clock.jump(60_000_000, "clock/jump")
        story.world.run("1s")
        assert.strictEqual(jumped(story), 0, "not when it is planted")
        story.node("n1", Effect.andThen(program, program.pipe(Effect.ignore)))
        story.world.run("1s")
        assert.strictEqual(jumped(story), effects, "once, however often the time is used")
      })
    }

    it("not the now() of a transaction that had begun before, but its clock_timestamp()", () => {
      const effectsOf = (moment: typeof now) => {
        const story = new Story()
        const slow = transact((t) =>
          Effect.andThen(
            t.select(accounts),
            Effect.delay(t.insert(moments, { id: 1, began: now, moment }), "400 millis")
          )
        )
        story.node("n1", slow)
        story.world.run("200ms")
        story.databaseNode.clock.jump(60_000_000, "clock/jump")
        story.world.run("2s")
        assert.strictEqual(story.database.committed("moments").length, 1)
        return jumped(story)
      }
      assert.strictEqual(effectsOf(now), 0)
      assert.strictEqual(effectsOf(clockTimestamp), 1)
    })
  })
})

describe("setting the scene", () => {
  it("rows can be written before the database starts", () => {
    const world = new World({ seed: "1" })
    const database = new SimDatabase(world, { tables: [accounts] })
    const session = database.engine.open()
    session.begin({ label: "scene", isolation: "read committed" })
    session.execute(
      {
        _tag: "Insert",
        table: "accounts",
        rows: [{ id: value(1), name: value("one"), value: value(1) }],
        onConflict: undefined
      },
      () => undefined
    )
    session.commit()
    world.addNode("database", database.program).start()
    world.run("1s")
    assert.strictEqual(database.committed("accounts").length, 1)
  })
})

describe("waiting", () => {
  it("a lock goes to the next because of the commit that released it", () => {
    const story = new Story()
    story.node("n1", saying("n1", holding(Effect.sleep("300 millis"))))
    story.world.run("100ms")
    story.node("n2", saying("n2", increment()))
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["n1: ok", "n2: ok"].toSorted())
    assert.deepStrictEqual(story.values, [16, 20])
    const granted = story.facts("LockGranted").at(-1)!
    assert.deepInclude(story.heard[granted.cause - 1]!.fact as object, { _tag: "Committed", label: "transact" })
    const committed = story.facts("Committed").at(-1)!
    assert.deepInclude(committed.fact as object, { label: "increment" })
  })

  it("ends with a lock timeout, and leaves the other alone", () => {
    const story = new Story()
    story.node("n1", saying("n1", holding(Effect.sleep("950 millis"))))
    story.world.run("100ms")
    story.node("n2", saying("n2", increment()))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["n2: Timeout (lock)", "n1: ok"])
  })

  it("ends with a statement timeout when that is shorter", () => {
    const story = new Story({ database: { statementTimeoutMillis: 200 } })
    story.node("n1", saying("n1", holding(Effect.sleep("500 millis"))))
    story.world.run("100ms")
    story.node("n2", saying("n2", increment()))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["n2: Timeout (statement)", "n1: ok"])
  })

  it("in a circle ends one of the two by deadlock", () => {
    const story = new Story({ database: { lockTimeoutMillis: 5_000, statementTimeoutMillis: 5_000 } })
    const cross = (first: number, second: number) =>
      transact((t) =>
        addTo(t, first, 1).pipe(Effect.andThen(Effect.sleep("50 millis")), Effect.andThen(addTo(t, second, 1)))
      )
    story.node("n1", saying("n1", cross(1, 2)))
    story.node("n2", saying("n2", cross(2, 1)))
    story.world.run("3s")
    assert.sameMembers(
      story.said.map((line) => line.slice(4)),
      ["Deadlock", "ok"]
    )
    assert.deepStrictEqual(story.values, [11, 21])
  })

  it("given up by its client, frees the way at once", () => {
    const story = new Story({ database: { lockTimeoutMillis: 60_000, statementTimeoutMillis: 60_000 } })
    story.node("n1", saying("n1", holding(Effect.sleep("600 millis"))))
    story.world.run("100ms")
    story.node(
      "n2",
      Effect.andThen(
        Effect.timeoutOption(
          transact((t) => Effect.andThen(addTo(t, 2, 1), addTo(t, 1, 1))),
          "200 millis"
        ),
        say("n2: gave up")
      )
    )
    story.world.run("150ms")
    story.node("n3", saying("n3", increment(2)))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["n2: gave up", "n3: ok", "n1: ok"])
    assert.deepStrictEqual(story.values, [15, 21])
  })

  it("for a silent owner ends when the database ends the idle transaction", () => {
    const story = new Story({ database: { lockTimeoutMillis: 5_000, statementTimeoutMillis: 5_000 } })
    story.node(
      "n1",
      saying(
        "n1",
        transact((t) => addTo(t, 1, 5).pipe(Effect.andThen(Effect.sleep("3 seconds")), Effect.andThen(addTo(t, 1, 5))))
      )
    )
    story.world.run("100ms")
    story.node("n2", saying("n2", increment()))
    story.world.run("1500ms")
    assert.deepStrictEqual(story.said, ["n2: ok"])
    story.world.run("3s")
    assert.deepStrictEqual(story.said, ["n2: ok", "n1: Timeout (idle-in-transaction)"])
    assert.deepStrictEqual(story.values, [11, 20])
  })

  it("for an owner that crashed is the same: nobody says goodbye", () => {
    const story = new Story({ database: { lockTimeoutMillis: 5_000, statementTimeoutMillis: 5_000 } })
    const victim = story.node("n1", holding(Effect.never))
    story.world.run("100ms")
    victim.crash("killed")
    story.node("n2", saying("n2", increment()))
    story.world.run("500ms")
    assert.deepStrictEqual(story.said, [])
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["n2: ok"])
  })
})

describe("an outcome that nobody knows", () => {
  it("the connection is cut after COMMIT took effect: unknown, and the change is there", () => {
    const story = new Story()
    story.hazard("storage/cut-after-commit")
    story.node("n1", Effect.andThen(saying("transaction", holding(Effect.void)), saying("once", increment())))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["transaction: UnknownOutcome", "once: UnknownOutcome"])
    assert.deepStrictEqual(story.values, [16, 20])
    assert.strictEqual(story.effects("storage/cut-after-commit"), 2)
  })

  it("the connection is cut before COMMIT took effect: unknown too, and the change is not there", () => {
    const story = new Story()
    story.hazard("storage/cut-before-commit")
    story.node("n1", Effect.andThen(saying("transaction", holding(Effect.void)), saying("once", increment())))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["transaction: UnknownOutcome", "once: UnknownOutcome"])
    assert.deepStrictEqual(story.values, [10, 20])
  })

  it("a transaction that only read has no outcome to be unknown", () => {
    const story = new Story()
    story.hazard("storage/cut-after-commit")
    const read = transact((t) => t.get(accounts, { id: 1 }))
    const readOnce = Effect.flatMap(Storage, ({ once }) => once((t) => t.get(accounts, { id: 1 }), { label: "read" }))
    story.node("n1", Effect.andThen(saying("transaction", read), saying("once", readOnce)))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["transaction: Unavailable", "once: Unavailable"])
  })

  it("a partition: before COMMIT nothing happened, after it nobody knows", () => {
    const story = new Story()
    story.node(
      "n1",
      saying(
        "before",
        transact((t) => addTo(t, 1, 5).pipe(Effect.andThen(Effect.sleep("500 millis")), Effect.andThen(addTo(t, 2, 5))))
      )
    )
    story.node(
      "n2",
      increment(2).pipe(Effect.andThen(Effect.sleep("500 millis")), Effect.andThen(saying("after", increment(2))))
    )
    story.world.run("300ms")
    const heal = story.world.network.partition(["n1", "n2"], ["database"])
    story.world.run("2s")
    assert.deepStrictEqual(story.said, [])
    story.world.run("2s")
    heal()
    assert.sameMembers(story.said, ["before: Unavailable", "after: UnknownOutcome"])
    story.world.run("20s")
    assert.strictEqual(story.values[0], 10)
    assert.include([21, 22], story.values[1])
  })

  it("interrupted during COMMIT, the transaction goes on at the database", () => {
    const story = new Story()
    const commits = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(holding(say("body done")))
      while (!story.heard.some(({ fact }) => fact._tag === "Sent" && "storage" in fact && fact.storage === "Commit")) {
        yield* Effect.sleep("10 micros")
      }
      yield* Fiber.interrupt(fiber)
      yield* say("interrupted")
      yield* saying("next", increment())
    })
    story.node("n1", commits, { connectionsMax: 1 })
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["body done", "interrupted", "next: ok"])
    assert.deepStrictEqual(story.values, [16, 20])
  })
})

describe("the pool", () => {
  it("lets a transaction wait for a connection, and fails it when its time is up", () => {
    const story = new Story()
    const patient = Effect.forEach(
      ["first", "second", "third"],
      (name) =>
        saying(
          name,
          transact(() => Effect.sleep("700 millis"))
        ),
      { concurrency: "unbounded" }
    )
    story.node("n1", patient, { connectionsMax: 1 })
    story.world.run("3s")
    assert.strictEqual(story.said.filter((line) => line.endsWith(": ok")).length, 2)
    assert.strictEqual(story.said.filter((line) => line.endsWith(": Unavailable")).length, 1)
  })

  it("does not serve who was interrupted while waiting", () => {
    const story = new Story()
    const program = Effect.gen(function* () {
      yield* Effect.forkChild(
        saying(
          "first",
          transact(() => Effect.sleep("300 millis"))
        )
      )
      yield* Effect.sleep("50 millis")
      yield* Effect.timeoutOption(increment(), "50 millis")
      yield* saying("third", increment(2))
    })
    story.node("n1", program, { connectionsMax: 1 })
    story.world.run("2s")
    assert.deepStrictEqual(story.said, ["first: ok", "third: ok"])
    assert.deepStrictEqual(story.values, [10, 21])
  })

  it("closes its connections when the node is stopped; the database forgets a crashed client in time", () => {
    const story = new Story()
    const [polite, crashed] = ["n1", "n2"].map((name) => story.node(name, Effect.andThen(increment(), Effect.never)))
    story.world.run("1s")
    assert.strictEqual(story.database.backends.size, 2, "the setup has left already")
    polite!.stop(1_000_000)
    crashed!.crash("killed")
    story.world.run("1s")
    assert.strictEqual(story.database.backends.size, 1)
    story.world.run("70s")
    assert.strictEqual(story.database.backends.size, 0)
  })
})

describe("a database that goes away", () => {
  it("restarted: open transactions are lost, committed ones are not, and the next connection works", () => {
    const story = new Story()
    const program = Effect.gen(function* () {
      yield* saying(
        "open",
        transact((t) => addTo(t, 1, 5).pipe(Effect.andThen(Effect.sleep("500 millis")), Effect.andThen(addTo(t, 2, 5))))
      )
      yield* saying("next", increment())
      yield* Effect.sleep("2 seconds")
      yield* saying("again", increment())
    })
    story.node("n1", program)
    story.world.run("200ms")
    story.databaseNode.crash("restarted")
    story.world.run("1s")
    story.databaseNode.start()
    story.world.run("10s")
    assert.deepStrictEqual(story.said, ["open: Unavailable", "next: ok", "again: ok"])
    assert.deepStrictEqual(story.values, [12, 20])
  })

  it("crashed as a machine: clients learn it by their own time-outs, and what was committed is there afterwards", () => {
    const story = new Story()
    const program = Effect.gen(function* () {
      yield* saying("before", increment())
      yield* Effect.sleep("300 millis")
      yield* saying("during", increment())
      yield* Effect.sleep("5 seconds")
      yield* saying("after", increment())
    })
    story.node("n1", program)
    story.world.run("200ms")
    story.databaseNode.crash("power")
    story.world.run("5s")
    story.databaseNode.start()
    story.world.run("10s")
    assert.deepStrictEqual(story.said, ["before: ok", "during: UnknownOutcome", "after: ok"])
    assert.deepStrictEqual(story.values, [12, 20])
  })

  it("paused, it answers late", () => {
    const story = new Story()
    story.node(
      "n1",
      Effect.andThen(increment(), Effect.andThen(Effect.sleep("300 millis"), saying("late", increment())))
    )
    story.world.run("200ms")
    story.databaseNode.pause()
    story.world.run("1s")
    assert.deepStrictEqual(story.said, [])
    story.databaseNode.resume()
    story.world.run("1s")
    assert.deepStrictEqual(story.said, ["late: ok"])
  })
})

describe("every fault of storage changes something, and says so", () => {
  const cases: ReadonlyArray<readonly [fault: string, expected: string]> = [
    ["storage/serialization-failure", "SerializationFailure"],
    ["storage/deadlock", "Deadlock"],
    ["storage/lock-timeout", "Timeout (lock)"],
    ["storage/statement-timeout", "Timeout (statement)"],
    ["storage/idle-timeout", "Timeout (idle-in-transaction)"],
    ["storage/cut-before-commit", "UnknownOutcome"],
    ["storage/cut-after-commit", "UnknownOutcome"],
    ["storage/pool-exhausted", "Unavailable"]
  ]
  for (const [fault, expected] of cases) {
    it(`${fault}: ${expected}`, () => {
      const story = new Story()
      const heal = story.hazard(fault)
      story.node(
        "n1",
        Effect.andThen(
          saying("n1", holding(Effect.void)),
          Effect.andThen(Effect.sleep("1 second"), saying("healed", increment(2)))
        )
      )
      story.world.run("900ms")
      heal()
      story.world.run("3s")
      assert.deepStrictEqual(story.said, [`n1: ${expected}`, "healed: ok"])
      assert.isAbove(story.effects(fault), 0)
      assert.strictEqual(story.values[1], 21, "nothing is left locked")
    })
  }

  it("storage/latency: the answer takes longer, or its statement times out", () => {
    const endings = Array.from({ length: 30 }, (_, seed) => {
      const story = new Story({ seed: String(seed), database: { statementTimeoutMillis: 500 } })
      story.hazard("storage/latency")
      story.node("n1", saying("n1", increment()))
      story.world.run("5s")
      return story.said[0]
    })
    assert.deepStrictEqual([...new Set(endings)].toSorted(), ["n1: Timeout (statement)", "n1: ok"])
  })

  it("storage/silent-client: the transaction stays open, and its program hears of its end only later", () => {
    const story = new Story()
    story.hazard("storage/silent-client")
    story.node("n1", saying("n1", holding(Effect.void)))
    story.world.run("2s")
    assert.deepStrictEqual(story.said, [])
    story.world.run("5s")
    assert.deepStrictEqual(story.said, ["n1: Timeout (idle-in-transaction)"])
    assert.deepStrictEqual(story.values, [10, 20])
  })
})

describe("a disk and a server that fail for good", () => {
  it("a full disk fails what inserts or updates, and its transaction; reading and deleting go on", () => {
    const story = new Story()
    const end = story.hazard("storage/disk-full")
    story.node(
      "n1",
      Effect.gen(function* () {
        yield* saying("update", increment())
        yield* saying(
          "transaction",
          transact((t) => Effect.andThen(Effect.ignore(addTo(t, 1, 1)), addTo(t, 2, 1)))
        )
        yield* saying(
          "delete",
          transact((t) => t.delete(accounts, { where: (row) => eq(row.id, 2) }))
        )
        yield* Effect.sleep("1 second")
        yield* saying("update, with room", increment())
      })
    )
    story.world.kernel.schedule(500_000, end, undefined)
    story.world.run("5s")
    assert.deepStrictEqual(story.said, [
      "update: Unavailable",
      "transaction: Aborted",
      "delete: ok",
      "update, with room: ok"
    ])
    assert.deepStrictEqual(story.values, [11])
    assert.strictEqual(story.effects("storage/disk-full"), 2)
  })

  it("a failover loses what was acknowledged of late, and says so as a commit of its own", () => {
    const story = new Story()
    const failover = faultKinds.find(({ name }) => name === "storage/failover")!
    if (failover.mode !== "event") return assert.fail("a failover is an event")
    story.node(
      "n1",
      Effect.gen(function* () {
        yield* saying("kept", increment(1))
        yield* Effect.sleep("3 seconds")
        yield* saying("lost", increment(1))
        yield* saying("lost too", increment(2))
        yield* Effect.sleep("3 seconds")
        yield* saying("on the old connection", increment(1))
        yield* saying("afterwards", increment(1))
      })
    )
    const fault = {
      when: { at: "5s" },
      target: "database",
      fault: "storage/failover",
      parameters: { millis: 1_000 }
    } as const
    story.world.kernel.schedule(
      4_500_000,
      () => {
        const undo = failover.act(story.world, { entry: 0, fault, targets: ["database"], others: [] })
        story.world.kernel.schedule(500_000, () => undo?.(), undefined)
      },
      undefined
    )
    story.world.run("20s")
    assert.deepStrictEqual(story.said, [
      "kept: ok",
      "lost: ok",
      "lost too: ok",
      "on the old connection: UnknownOutcome",
      "afterwards: ok"
    ])
    assert.deepStrictEqual(story.values, [12, 20], "10, kept and afterwards; and 20")
    assert.strictEqual(story.effects("storage/failover"), 1)
    const commits = story.facts("Committed").map(({ fact }) => fact as Committed)
    assert.deepStrictEqual(
      commits
        .filter(({ label }) => label === "storage/failover")
        .flatMap(({ changes }) => changes)
        .map(({ after, before, key }) => [key, before?.["value"], after?.["value"]]),
      [
        ["2", 21, 20],
        ["1", 12, 11]
      ]
    )
  })
})

describe("under load and all faults at once", () => {
  /** Four nodes increment; returns what they were told and what became of it. */
  const sweep = (seed: string) => {
    const story = new Story({ seed })
    for (const fault of [
      "storage/serialization-failure",
      "storage/deadlock",
      "storage/lock-timeout",
      "storage/statement-timeout",
      "storage/idle-timeout",
      "storage/cut-before-commit",
      "storage/cut-after-commit",
      "storage/pool-exhausted",
      "storage/latency",
      "storage/silent-client",
      "network/loss",
      "network/latency-tail"
    ]) {
      story.hazard(fault, { rate: 0.03 })
    }
    const work = Effect.gen(function* () {
      for (let round = 0; round < 20; round++) {
        yield* saying(
          round % 2 === 0 ? "once" : "transaction",
          round % 2 === 0 ? increment() : transact((t) => addTo(t, 1, 1))
        )
        yield* Effect.sleep("100 millis")
      }
    })
    const nodes = [1, 2, 3, 4].map((index) => story.node(`n${index}`, Effect.all([work, work], { concurrency: 2 })))
    story.world.run("2s")
    nodes[0]!.crash("killed")
    story.world.run("500ms")
    nodes[0]!.start()
    story.databaseNode.crash("restarted")
    story.world.run("300ms")
    story.databaseNode.start()
    story.world.run("120s")
    return story
  }

  it("what was acknowledged is there, and nothing beyond it but what was unknown or died with a node", () => {
    let unknown = 0
    for (let seed = 0; seed < 25; seed++) {
      const story = sweep(String(seed))
      const acknowledged = story.said.filter((line) => line.endsWith(": ok")).length
      const uncertain = story.said.filter((line) => line.endsWith(": UnknownOutcome")).length + 2
      const changed = (story.values[0] as number) - 10
      unknown += uncertain
      assert.isAtLeast(changed, acknowledged, `seed ${seed}`)
      assert.isAtMost(changed, acknowledged + uncertain, `seed ${seed}`)
      assert.isAbove(acknowledged, 50, `seed ${seed}`)
      assert.isAbove(story.facts("LockWaited").length, 0, `seed ${seed}`)
      for (const { state } of story.database.engine.sessions.values()) assert.strictEqual(state, "idle", `seed ${seed}`)
    }
    assert.isAbove(unknown, 50)
  })

  it("the same seed takes the same steps", () => {
    const digest = () => sweep("7").world.kernel.facts.digest.value
    assert.strictEqual(digest(), digest())
  })
})
