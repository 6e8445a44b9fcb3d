import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Instance, instances } from "../instance/Instance.ts"
import { instanceRow } from "../invariants/Story.fixture.ts"
import { brakeCountMin, brakeRatio, heartbeatLateMillis, heartbeatMoveMillis, heartbeatStaleMillis } from "../Limits.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import {
  agents,
  elsewhere,
  giveUp,
  hasReturned,
  isBraked,
  isLate,
  isStale,
  markReturned,
  record,
  register
} from "./Heartbeat.ts"

describe("Heartbeat", () => {
  // covers A12
  it("brakes when everybody falls silent (40 of 40), not when one does (1 of 40)", () => {
    assert.isTrue(isBraked({ late: 40, running: 40 }))
    assert.isFalse(isBraked({ late: 1, running: 40 }))
  })

  it("replaces what fails in a small fleet (2 of 2), where a share means nothing", () =>
    assert.isFalse(isBraked({ late: 2, running: 2 })))

  it("never lets more go at once than the share or the least number", () =>
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), (late, others) => {
        const running = late + others
        assert.isTrue(isBraked({ late, running }) || late <= Math.max(brakeCountMin - 1, brakeRatio * running))
      })
    ))

  it("brakes from three on, and only above three in ten (3 of 9, not of 10)", () => {
    assert.isTrue(isBraked({ late: 3, running: 9 }))
    assert.isFalse(isBraked({ late: 3, running: 10 }))
  })
})

describe("the rows that heartbeats touch", () => {
  const { nowMicros } = new StillDatabase(instances)
  const ago = (millis: number) => fc.constantFrom(-1, 0, 1).map((late) => nowMicros - millis * 1_000 - late)

  /** Three instances of several states and agents, heard about as long ago as something is decided by. */
  const stored: fc.Arbitrary<ReadonlyArray<Instance>> = fc.tuple(
    ...["a", "b", "c"].map((uid) =>
      fc
        .record({
          state: fc.constantFrom("RUNNING", "ERROR", "CREATING"),
          reason: fc.constantFrom("HeartbeatStale", "Vanished"),
          isAsked: fc.boolean(),
          speaker: fc.constantFrom(null, ["me", 5], ["me", 6], ["me", 7], ["other", 6]),
          lastHeartbeatAt: fc.oneof(ago(heartbeatMoveMillis), ago(heartbeatLateMillis), ago(heartbeatStaleMillis))
        } as const)
        .map(({ isAsked, lastHeartbeatAt, reason, speaker, state }) =>
          instanceRow(uid, {
            name: uid,
            fleet: null,
            ordinal: null,
            state,
            // Left over, where the state is another.
            reason,
            deletionRequestedAt: isAsked ? 8 : null,
            agent: speaker?.[0] ?? null,
            agentIncarnation: speaker?.[1] ?? null,
            lastHeartbeatAt,
            revision: 4,
            dueAt: null
          })
        )
    )
  )
  const given = (rows: ReadonlyArray<Instance>) => new StillDatabase(instances, agents).given(instances, rows)
  const silentMillis = (row: Instance) => (nowMicros - row.lastHeartbeatAt!) / 1_000
  const isNamed = ({ uid }: Instance) => uid !== "c"
  const isWatched = (row: Instance) => row.state === "RUNNING" && row.deletionRequestedAt === null

  it("an agent that registers speaks as its next incarnation, whatever those of others", () => {
    const database = new StillDatabase(agents)
    const { nowMicros: registeredAt } = database
    const said = ["a1", "a2", "a1", "a1"].map((id, index) =>
      database.ask(register(database.once, { id, host: "h", process: `p${index}` }))
    )
    assert.deepStrictEqual(
      said,
      [1, 1, 2, 3].map((incarnation, index) => ({
        id: index === 1 ? "a2" : "a1",
        incarnation,
        registeredAt,
        host: "h",
        process: `p${index}`,
        heardAt: registeredAt
      }))
    )
  })

  it("a later registration has its own time", () => {
    const database = new StillDatabase(agents)
    const agent = { id: "a1", host: "h" }
    database.ask(register(database.once, { ...agent, process: "p1" }))
    database.nowMicros += 1
    const later = database.ask(register(database.once, { ...agent, process: "p2" }))
    assert.strictEqual(later?.registeredAt, database.nowMicros)
  })

  it("a registration that comes twice, by a network that repeats it, is one", () => {
    const database = new StillDatabase(agents)
    const registration = { id: "a1", host: "h", process: "p" }
    const first = database.ask(register(database.once, registration))
    database.nowMicros += 1
    assert.deepStrictEqual(database.ask(register(database.once, registration)), first)
  })

  it("an agent whose instances are on another host is refused, and stays as it was", () => {
    const database = new StillDatabase(agents)
    const first = database.ask(register(database.once, { id: "a1", host: "h1", process: "p1" }))
    assert.isUndefined(database.ask(register(database.once, { id: "a1", host: "h2", process: "p2" })))
    assert.strictEqual(first?.incarnation, 1)
    assert.strictEqual(database.ask(register(database.once, { id: "a1", host: "h1", process: "p3" }))?.incarnation, 2)
  })

  it("an agent is heard for what nobody speaks for, for its own unless as an older incarnation, and for another's after its silence", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = given(rows)
        const isHeard = (row: Instance) =>
          isNamed(row) &&
          (row.agent === null ||
            (row.agent === "me" && row.agentIncarnation! <= 6) ||
            (row.agent !== "me" && silentMillis(row) >= heartbeatMoveMillis))
        const heard = { agent: "me", agentIncarnation: 6, lastHeartbeatAt: nowMicros }
        const after = rows.map((row) => (isHeard(row) ? { ...row, ...heard } : row))
        const answer = database.ask(record(database.once, { agent: "me", incarnation: 6, uids: ["a", "b"] }))
        assert.deepStrictEqual(
          answer,
          after.filter((_, index) => isHeard(rows[index]!))
        )
        assert.deepStrictEqual(database.rows(instances), after)
      })
    ))

  it("those that another speaks for are told apart from those that are unknown", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = given(rows)
        assert.deepStrictEqual(
          database.ask(elsewhere(database.once, "me", ["a", "b", "ghost"])),
          rows.filter((row) => isNamed(row) && row.agent === "other")
        )
      })
    ))

  it("only what was given up for its silence, and is still wanted, can return", () =>
    fc.assert(
      fc.property(stored, ([row]) =>
        assert.strictEqual(
          hasReturned(row!),
          row!.state === "ERROR" && row!.reason === "HeartbeatStale" && row!.deletionRequestedAt === null
        )
      )
    ))

  it("what has returned is due, while it is in ERROR", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = given(rows)
        const after = rows.map((row) => (isNamed(row) && row.state === "ERROR" ? { ...row, dueAt: nowMicros } : row))
        database.ask(markReturned(database.once, ["a", "b"]))
        assert.deepStrictEqual(database.rows(instances), after)
      })
    ))

  // covers A12
  it("late and stale are those that run, are wanted, and were not heard for 20 s and 30 s", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = given(rows)
        for (const [where, millis] of [
          [isLate, heartbeatLateMillis],
          [isStale, heartbeatStaleMillis]
        ] as const) {
          assert.deepStrictEqual(
            database.ask(database.calls.select(instances, { where })),
            rows.filter((row) => isWatched(row) && silentMillis(row) >= millis)
          )
        }
      })
    ))

  it("what is given up is stale at this moment, and then due, in ERROR and of the next revision", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = given(rows)
        const isGivenUp = (row: Instance) => isNamed(row) && isWatched(row) && silentMillis(row) >= heartbeatStaleMillis
        const at = { updatedAt: nowMicros, readyChangedAt: nowMicros, dueAt: nowMicros }
        const change = { state: "ERROR", reason: "HeartbeatStale", revision: 5, ...at }
        const after = rows.map((row) => (isGivenUp(row) ? { ...row, ...change } : row))
        const answer = database.ask(giveUp(database.calls, ["a", "b"]))
        assert.deepStrictEqual(answer, after.filter((_, index) => isGivenUp(rows[index]!)) as never)
        assert.deepStrictEqual(database.rows(instances), after as never)
      })
    ))
})
