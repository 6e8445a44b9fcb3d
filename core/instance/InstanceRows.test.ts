/** What the statements of instances do to the rows, and which rows there may be. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { instanceRow } from "../invariants/Story.fixture.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import * as Instance from "./Instance.ts"

const { instances, states } = Instance
const { nowMicros } = new StillDatabase(instances)
const spec = { image: "web:1", size: "small" } as const
const standalone = { fleet: null, ordinal: null } as const

/** An instance that may be in this state: asked to go, heard and in ERROR for a reason where it must be. */
const inState = (state: Instance.State, changes: Partial<Instance.Instance> = {}, uid = "a") =>
  instanceRow(uid, {
    ...standalone,
    name: uid,
    state,
    reason: state === "ERROR" ? "Vanished" : null,
    deletionRequestedAt: state === "DELETING" ? 3 : null,
    lastHeartbeatAt: 5,
    revision: 4,
    attempt: 2,
    agent: "a1",
    agentIncarnation: 6,
    dueAt: null,
    ...changes
  })

/** What was read, and what is stored when the statement comes: the same, or changed since in what is looked at. */
const readAndStored = fc
  .record({
    state: fc.constantFrom<Instance.State>("CREATING", "RUNNING", "DELETING"),
    otherState: fc.constantFrom<Instance.State>("CREATING", "RUNNING", "DELETING"),
    revision: fc.constantFrom(4, 5),
    dueAt: fc.constantFrom(1, 2)
  })
  .map(({ dueAt, otherState, revision, state }) => ({
    read: inState(state, { dueAt: 1 }),
    stored: inState(otherState, { revision, dueAt }),
    neighbour: inState(state, { dueAt: 1 }, "b")
  }))

describe("the rows of instances", () => {
  it("are created PENDING and due, under their live names; what has the name of a live one is left out", () => {
    const database = new StillDatabase(instances).given(instances, [inState("RUNNING", { name: "taken" }, "x")])
    const wanted = [
      { uid: "a", project: "p", name: "box", ...standalone, spec },
      { uid: "b", project: "p", name: "taken", ...standalone, spec },
      { uid: "c", project: "p", name: "web-1", fleet: "p/web", ordinal: 1, spec }
    ]
    const created = database.ask(Instance.create(database.calls, wanted))
    const at = { createdAt: nowMicros, updatedAt: nowMicros, dueAt: nowMicros }
    assert.deepStrictEqual(created, [
      instanceRow("a", { ...standalone, name: "box", liveName: "box", ...at }),
      instanceRow("c", { name: "web-1", ordinal: 1, liveName: "p/web/1", ...at })
    ])
  })

  it("have live names that no standalone name can be: with the fleet and the ordinal, or else the plain name", () => {
    assert.strictEqual(Instance.liveNameOf({ name: "web-1", fleet: "p/web", ordinal: 1 }), "p/web/1")
    assert.strictEqual(Instance.liveNameOf({ name: "box", ...standalone }), "box")
  })

  it("are never left out because a uid is there already: that is an error", () => {
    const database = new StillDatabase(instances).given(instances, [inState("RUNNING")])
    const again = Instance.create(database.calls, [{ uid: "a", project: "p", name: "box", ...standalone, spec }])
    assert.throws(() => database.ask(again), "instances_pkey")
  })

  it("are asked to go once, by uid, and lose their live names then", () =>
    fc.assert(
      fc.property(fc.tuple(...["a", "b", "c"].map(() => fc.boolean())), (asked) => {
        const rows = ["a", "b", "c"].map((uid, index) =>
          inState("CREATING", { deletionRequestedAt: asked[index] ? 3 : null }, uid)
        )
        const database = new StillDatabase(instances).given(instances, rows)
        const change = { liveName: null, deletionRequestedAt: nowMicros, updatedAt: nowMicros, dueAt: nowMicros }
        const isNew = (_: unknown, index: number) => asked[index] === false && index < 2
        const after = rows.map((row, index) => (isNew(row, index) ? { ...row, ...change, revision: 5 } : row))
        assert.deepStrictEqual(database.ask(Instance.requestDeletion(database.calls, ["a", "b"])), after.filter(isNew))
        assert.deepStrictEqual(database.rows(instances), after)
      })
    ))

  it("move only as they were read, by uid, revision and state, and are due a second later", () =>
    fc.assert(
      fc.property(readAndStored, ({ neighbour, read, stored }) => {
        if (read.state === "DELETING") return
        const database = new StillDatabase(instances).given(instances, [stored, neighbour])
        const isSame = stored.revision === read.revision && stored.state === read.state
        const change = {
          state: "ERROR",
          reason: "Vanished",
          revision: 5,
          updatedAt: nowMicros,
          dueAt: nowMicros + 1_000_000
        } as const
        const after = {
          ...stored,
          ...change,
          readyChangedAt: stored.state === "RUNNING" ? nowMicros : stored.readyChangedAt
        }
        const moved = database.ask(Instance.move(database.calls, read, "ERROR", "Vanished"))
        assert.deepStrictEqual(moved, isSame ? after : undefined)
        assert.deepStrictEqual(database.rows(instances), [isSame ? after : stored, neighbour])
      })
    ))

  it("are any agent's in a new attempt", () => {
    const row = inState("STOPPED")
    const database = new StillDatabase(instances).given(instances, [row])
    assert.deepStrictEqual(database.ask(Instance.move(database.calls, row, "CREATING", null)), {
      ...row,
      state: "CREATING",
      revision: 5,
      attempt: 3,
      agent: null,
      agentIncarnation: null,
      updatedAt: nowMicros,
      dueAt: nowMicros + 1_000_000
    })
  })

  it("that run count as heard from now, and are not due", () => {
    const row = inState("CREATING", { dueAt: 1 })
    const database = new StillDatabase(instances).given(instances, [row])
    assert.deepStrictEqual(database.ask(Instance.move(database.calls, row, "RUNNING", null)), {
      ...row,
      state: "RUNNING",
      revision: 5,
      lastHeartbeatAt: nowMicros,
      updatedAt: nowMicros,
      readyChangedAt: nowMicros,
      dueAt: null
    })
  })

  // covers A7
  it("never move along what is not in the table, nor leave before they are DELETING: that is a defect", () => {
    const { calls } = new StillDatabase(instances)
    const row = inState("PENDING")
    assert.throws(() => Instance.move(calls, row, "RUNNING", null), "instance a: PENDING cannot become RUNNING")
    assert.throws(() => Instance.remove(calls, row), "instance a: PENDING cannot leave")
  })

  it("leave only as they were read", () =>
    fc.assert(
      fc.property(readAndStored, ({ neighbour, read, stored }) => {
        if (read.state !== "DELETING") return
        const database = new StillDatabase(instances).given(instances, [stored, neighbour])
        const isSame = stored.revision === read.revision && stored.state === read.state
        assert.deepStrictEqual(database.ask(Instance.remove(database.calls, read)), isSame ? stored : undefined)
        assert.deepStrictEqual(database.rows(instances), isSame ? [neighbour] : [stored, neighbour])
      })
    ))

  it("settle only as they were read, and stay due when somebody has asked again", () =>
    fc.assert(
      fc.property(readAndStored, ({ neighbour, read, stored }) => {
        const database = new StillDatabase(instances).given(instances, [stored, neighbour])
        const isSame = stored.revision === read.revision && stored.dueAt === read.dueAt
        const after = isSame ? { ...stored, dueAt: null } : stored
        assert.deepStrictEqual(database.ask(Instance.settle(database.calls, read)), isSame ? [after] : [])
        assert.deepStrictEqual(database.rows(instances), [after, neighbour])
      })
    ))

  it("wait, and begin to start, only as they were read: whoever has asked again meanwhile is heard", () =>
    fc.assert(
      fc.property(readAndStored, fc.boolean(), ({ neighbour, read, stored }, isBeginning) => {
        const database = new StillDatabase(instances).given(instances, [stored, neighbour])
        const isSame = stored.revision === read.revision && stored.dueAt === read.dueAt
        const change = isBeginning ? { updatedAt: nowMicros } : { dueAt: nowMicros + 7_000 }
        const after = isSame ? { ...stored, ...change } : stored
        const changed = isBeginning
          ? Instance.begin(database.calls, read)
          : Instance.postponeBy(database.calls, read, 7)
        assert.deepStrictEqual(database.ask(changed), isSame ? after : undefined)
        assert.deepStrictEqual(database.rows(instances), [after, neighbour])
      })
    ))

  for (const [name, changes] of [
    ["isPlaced", { bucketGroup: 99 }],
    ["liveOrAskedToGo", { liveName: null }],
    ["deletingWasAsked", { state: "DELETING" }],
    ["errorHasReason", { state: "ERROR" }],
    ["agentHasIncarnation", { agent: "a1" }],
    ["agentHasIncarnation", { agentIncarnation: 6 }],
    ["runningHasHeartbeat", { state: "RUNNING" }],
    ["fleetHasOrdinals", { ordinal: null }],
    ["fleetHasOrdinals", { ordinal: -1 }],
    ["fleetHasOrdinals", { fleet: null }]
  ] as const) {
    // covers A7
    it(`may not be what ${name} excludes: ${JSON.stringify(changes)}`, () => {
      const refusal = new StillDatabase(instances).refusal(instances, [{ ...instanceRow("a"), ...changes }])
      assert.strictEqual(refusal, `instances_${name}`)
    })
  }

  it("may be only those of which each column agrees with the others", () => {
    const maybe = <A>(value: A) => fc.constantFrom(null, value)
    fc.assert(
      fc.property(
        fc.record({
          state: fc.constantFrom(...states),
          reason: maybe("Vanished" as const),
          liveName: maybe("a"),
          deletionRequestedAt: maybe(3),
          agent: maybe("a1"),
          agentIncarnation: maybe(6),
          lastHeartbeatAt: maybe(5),
          fleet: maybe("p/web"),
          ordinal: fc.constantFrom(null, -1, 0, 1),
          isElsewhere: fc.boolean()
        }),
        ({ isElsewhere, ...changes }) => {
          const base = instanceRow("a")
          const row = { ...base, ...changes, bucketGroup: base.bucketGroup + (isElsewhere ? 1 : 0) }
          const isLive = row.deletionRequestedAt === null
          const broken = {
            isPlaced: isElsewhere,
            liveOrAskedToGo: isLive !== (row.liveName !== null),
            deletingWasAsked: row.state === "DELETING" && isLive,
            errorHasReason: row.state === "ERROR" && row.reason === null,
            agentHasIncarnation: (row.agent === null) !== (row.agentIncarnation === null),
            runningHasHeartbeat: row.state === "RUNNING" && row.lastHeartbeatAt === null,
            fleetHasOrdinals: row.fleet === null ? row.ordinal !== null : row.ordinal === null || row.ordinal < 0
          }
          const names = Object.entries(broken).flatMap(([name, is]) => (is ? [`instances_${name}`] : []))
          const refusal = new StillDatabase(instances).refusal(instances, [row])
          if (names.length === 0) assert.isUndefined(refusal)
          else assert.include(names, refusal)
        }
      ),
      { numRuns: 1_000 }
    )
  })
})
