/** Where an instance goes, and what its owner sees of it. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { placementsPerAgentMax } from "../Limits.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import { agents as agentRows, register } from "../heartbeat/Heartbeat.ts"
import { type Instance, instances } from "../instance/Instance.ts"
import { instanceRow } from "../invariants/Story.fixture.ts"
import {
  candidatesFor,
  emptierOf,
  exchange,
  forget,
  observationOf,
  observedOf,
  place,
  placements,
  unplace
} from "./Placement.ts"

const agents = fc
  .uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 0, maxLength: 8 })
  .map((ids) => ids.map((id) => ({ id })))
const weigh = (uid: string) => (agent: string) => fnv1a32(`${uid}@${agent}`)

describe("an instance", () => {
  it("may go to two agents, the same for whoever asks, and to others only when one of them has gone", () =>
    fc.assert(
      fc.property(agents, fc.string(), (there, uid) => {
        const chosen = candidatesFor(there, weigh(uid))
        assert.strictEqual(chosen.length, Math.min(2, there.length))
        assert.deepStrictEqual(candidatesFor(there.toReversed(), weigh(uid)), chosen)
        const others = there.filter(({ id }) => !chosen.includes(id))
        for (const gone of others) {
          assert.deepStrictEqual(
            candidatesFor(
              there.filter(({ id }) => id !== gone.id),
              weigh(uid)
            ),
            chosen
          )
        }
      })
    ))

  it("goes to the emptier of them, and to none that is full", () => {
    assert.strictEqual(
      emptierOf([
        { agent: "a", count: 3 },
        { agent: "b", count: 2 }
      ]),
      "b"
    )
    assert.strictEqual(emptierOf([{ agent: "a", count: placementsPerAgentMax }]), undefined)
    assert.strictEqual(emptierOf([]), undefined)
  })

  it("is absent without a placement, on its way until its agent has seen it, and stopping from the moment that it is to end", () => {
    const run = (observed: Parameters<typeof observationOf>[0] & object) => observationOf(observed)
    assert.strictEqual(observationOf(undefined), "Absent")
    assert.strictEqual(run({ wanted: "run", observed: null }), "Starting")
    assert.strictEqual(run({ wanted: "run", observed: "Absent" }), "Starting")
    assert.strictEqual(run({ wanted: "run", observed: "Running" }), "Running")
    assert.strictEqual(run({ wanted: "run", observed: "Failed" }), "Failed")
    assert.strictEqual(run({ wanted: "stop", observed: "Running" }), "Stopping")
    assert.strictEqual(run({ wanted: "stop", observed: "Failed" }), "Stopping")
  })
})

describe("a placement", () => {
  const spec = { image: "web:1", size: "small" } as const
  const creating = (changes: Partial<Instance> = {}) => instanceRow("u", { state: "CREATING", attempt: 2, ...changes })
  const given = (...rows: ReadonlyArray<Instance>) => {
    const database = new StillDatabase(instances, agentRows, placements).given(instances, rows)
    database.ask(register(database.once, { id: "a1", host: "h1", process: "p1" }))
    return database
  }
  const placed = () => {
    const database = given(creating({ dueAt: null }))
    database.ask(place(database.calls, { uid: "u", agent: "a1", spec }))
    return database
  }
  const told = (changes: object = {}) => ({
    agent: "a1",
    incarnation: 1,
    reports: [{ uid: "u", attempt: 2, observation: "Running" as const }],
    ...changes
  })

  it("is made once, for the attempt that its row is at", () => {
    const database = placed()
    assert.isTrue(database.ask(place(database.calls, { uid: "u", agent: "a2", spec })))
    const [only] = database.rows(placements)
    assert.deepInclude(only, { uid: "u", agent: "a1", attempt: 2, wanted: "run", observed: null })
  })

  it("is not made for what is not there, not being created, or to be gone", () => {
    for (const rows of [
      [],
      [creating({ state: "ERROR", reason: "StartFailed" })],
      [creating({ deletionRequestedAt: 1 })]
    ]) {
      const database = given(...rows)
      assert.isFalse(database.ask(place(database.calls, { uid: "u", agent: "a1", spec })))
      assert.deepStrictEqual(database.rows(placements), [])
    }
  })

  it("keeps what its agent says of it, and its owner is told to look", () => {
    const database = placed()
    const answer = database.ask(exchange(database.calls, told()))
    assert.deepInclude(answer?.[0], { uid: "u", wanted: "run", observed: "Running" })
    const [instance] = database.rows(instances)
    assert.deepInclude(instance, { dueAt: database.nowMicros, agent: "a1", agentIncarnation: 1, lastHeartbeatAt: null })
  })

  it("keeps how it failed for as long as it is seen to have, and its owner is told where that was", () => {
    const database = placed()
    const failed = { uid: "u", attempt: 2, observation: "Failed" as const }
    const say = (report: object) => {
      database.ask(exchange(database.calls, told({ reports: [report] })))
      return observedOf(database.rows(placements)[0])
    }
    assert.deepStrictEqual(observedOf(database.rows(placements)[0]), { observation: "Starting", agent: "a1" })
    const cause = "exited with code 1: out of memory"
    assert.deepStrictEqual(say({ ...failed, cause }), { observation: "Failed", agent: "a1", cause })
    assert.deepStrictEqual(say({ ...failed, observation: "Running" }), { observation: "Running", agent: "a1" })
    assert.isNull(database.rows(placements)[0]!.cause)
    assert.deepStrictEqual(say(failed), { observation: "Failed", agent: "a1" })
    assert.deepStrictEqual(observedOf(undefined), { observation: "Absent" })
  })

  it("takes no word of an earlier process, of another agent, or about an earlier attempt", () => {
    const database = placed()
    database.ask(register(database.once, { id: "a1", host: "h1", process: "p2" }))
    database.ask(register(database.once, { id: "a2", host: "h2", process: "p3" }))
    assert.isUndefined(database.ask(exchange(database.calls, told())))
    assert.isUndefined(database.ask(exchange(database.calls, told({ agent: "nobody" }))))
    assert.deepStrictEqual(database.ask(exchange(database.calls, told({ agent: "a2" }))), [])
    const earlier = [{ uid: "u", attempt: 1, observation: "Failed" as const }]
    database.ask(exchange(database.calls, told({ incarnation: 2, reports: earlier })))
    assert.isNull(database.rows(placements)[0]!.observed)
    assert.isNull(database.rows(instances)[0]!.dueAt)
  })

  it("leaves when it is to end and its agent sees nothing of it, and not before", () => {
    const database = placed()
    const absent = told({ reports: [{ uid: "u", attempt: 2, observation: "Absent" as const }] })
    database.ask(exchange(database.calls, absent))
    assert.strictEqual(database.rows(placements).length, 1, "it is wanted")
    database.ask(unplace(database.calls, "u"))
    database.ask(exchange(database.calls, told()))
    assert.deepInclude(database.rows(placements)[0], { wanted: "stop", observed: "Running" })
    assert.deepStrictEqual(database.ask(exchange(database.calls, absent)), [])
    assert.deepStrictEqual(database.rows(placements), [])
  })

  it("leaves with its host when somebody says that it is gone, and a process that lives on is heard no more", () => {
    const database = placed()
    assert.isUndefined(database.ask(forget(database.calls, "nobody")))
    const agent = database.ask(forget(database.calls, "a1"))
    assert.deepInclude(agent, { id: "a1", incarnation: 2, host: null })
    assert.deepStrictEqual(database.rows(placements), [])
    assert.strictEqual(database.rows(instances)[0]?.dueAt, database.nowMicros)
    assert.isUndefined(database.ask(exchange(database.calls, told())))
    // The name is free for another host.
    const again = database.ask(register(database.once, { id: "a1", host: "h2", process: "p9" }))
    assert.strictEqual(again?.incarnation, 3)
  })
})
