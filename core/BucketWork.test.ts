import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { StillDatabase } from "../sim/storage/StillDatabase.fixture.ts"
import { placementOf } from "./bucket/Bucket.ts"
import * as BucketWork from "./BucketWork.ts"
import { events } from "./event/Event.ts"
import { fleets } from "./fleet/Fleet.ts"
import * as Instance from "./instance/Instance.ts"
import type { Grant } from "./lease/LeaseKeeper.ts"
import { reconcileBatchMax, startTimeoutMillis } from "./Limits.ts"
import { clockTimestamp, eq } from "./ports/Condition.ts"
import { NodeExit } from "./ports/NodeExit.ts"
import { type Observation, Provider, ProviderError, ProviderUnavailable } from "./ports/Provider.ts"
import { Storage } from "./ports/Storage.ts"
import { policyDefault } from "./reconcile/Parking.ts"

const spec = { image: "web:1", size: "small" } as const

const noRoom = new ProviderUnavailable({ detail: "no agent has room" })

const cluster = () => {
  const database = new StillDatabase(fleets, Instance.instances, events)
  const outside = new Map<string, Observation>()
  const starts: Array<string> = []
  /** Of more than one statement. */
  const transactions: Array<string> = []
  const room = { isThere: true }
  const grant: Grant = {
    lease: "buckets/1",
    epoch: 1,
    fences: [],
    remainingMicrosUnsafe: () => 1,
    databaseMicrosUnsafe: () => database.nowMicros
  }
  const ports = Layer.mergeAll(
    Layer.succeed(NodeExit, { exit: (reason) => Effect.die(reason) }),
    Layer.succeed(Storage, {
      once: database.once,
      transaction: (body, { label }) => {
        transactions.push(label)
        return body(database.calls)
      }
    }),
    Layer.succeed(Provider, {
      start: (uid) =>
        Effect.suspend(() => {
          if (!room.isThere) return Effect.fail(new ProviderError({ call: "start", reason: noRoom }))
          starts.push(uid)
          outside.set(uid, "Starting")
          return Effect.void
        }),
      stop: (uid) => Effect.sync(() => outside.delete(uid)),
      observe: (uid) => Effect.sync(() => ({ observation: outside.get(uid) ?? "Absent" })),
      list: Effect.succeed([])
    })
  )
  const create = (uid: string) =>
    Instance.create(database.calls, [{ uid, project: "p", name: uid, fleet: null, ordinal: null, spec }])
  const rowOf = (uid: string) => database.ask(database.calls.get(Instance.instances, { uid }))
  /** Both clocks. */
  const pass = (millis: number) =>
    Effect.gen(function* () {
      for (let passed = 0; passed < millis; passed += 50) {
        database.nowMicros += 50_000
        yield* TestClock.adjust(50)
      }
    })
  return { create, database, grant, outside, pass, ports, room, rowOf, starts, transactions }
}

describe("BucketWork", () => {
  it.effect("serves one that was asked for later while more than a batch of others take their time to start", () => {
    const { create, database, grant, outside, pass, ports, rowOf, starts, transactions } = cluster()
    const slow = Array.from({ length: reconcileBatchMax + 50 }, (_, nth) => `slow-${nth}`)
    return Effect.gen(function* () {
      const { serve } = yield* BucketWork.make({ backoffMillisMax: 1_000, policy: policyDefault })
      for (const uid of slow) yield* create(uid)
      const groups = new Set([...slow, "late"].map((uid) => placementOf(uid).bucketGroup))
      for (const group of groups) yield* Effect.forkChild(serve(group, grant))
      yield* pass(3_000)
      assert.strictEqual(starts.length, slow.length)
      yield* create("late")
      yield* pass(1_000)
      assert.strictEqual(starts.at(-1), "late")
      // What was said of one meanwhile is not waited for.
      yield* pass(6_000)
      outside.set("slow-7", "Running")
      yield* database.calls.update(Instance.instances, {
        where: (row) => eq(row.uid, "slow-7"),
        set: () => ({ dueAt: clockTimestamp })
      })
      yield* pass(1_000)
      assert.strictEqual(rowOf("slow-7")?.state, "RUNNING")
      assert.strictEqual(rowOf("slow-8")?.state, "CREATING")
      assert.deepStrictEqual(
        transactions,
        [],
        "what goes as it was wished is told of nowhere, and costs a statement a move"
      )
    }).pipe(Effect.provide(ports), Effect.scoped)
  })

  it.effect("does not give up one that waited for room for longer than a start may take, and is starting since", () => {
    const { create, database, grant, pass, ports, room, rowOf, starts, transactions } = cluster()
    return Effect.gen(function* () {
      const { serve } = yield* BucketWork.make({ backoffMillisMax: 1_000, policy: policyDefault })
      yield* create("patient")
      yield* Effect.forkChild(serve(placementOf("patient").bucketGroup, grant))
      room.isThere = false
      yield* pass(startTimeoutMillis + 10_000)
      room.isThere = true
      yield* pass(3_000)
      assert.deepStrictEqual(starts, ["patient"])
      yield* pass(startTimeoutMillis - 5_000)
      assert.deepInclude(rowOf("patient"), { state: "CREATING", failures: null })
      // It has the time of a start, and no more.
      yield* pass(10_000)
      assert.deepInclude(rowOf("patient"), { failure: "it did not run within 30 s", failures: 1 })
      assert.deepStrictEqual(transactions, ["instance/move/ERROR"])
      const told = database.rows(events).map(({ detail, instance, kind }) => [kind, instance, detail])
      assert.deepStrictEqual(told, [["StartFailed", "patient", "it did not run within 30 s"]])
    }).pipe(Effect.provide(ports), Effect.scoped)
  })
})
