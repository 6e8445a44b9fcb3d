import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { startTimeoutMillis } from "../Limits.ts"
import type { Observation } from "../ports/Provider.ts"
import { instanceRow } from "../invariants/Story.fixture.ts"
import { canMove, type Instance, moves, reasons, type State, states } from "./Instance.ts"
import * as InstancePlan from "./InstancePlan.ts"

const observations: ReadonlyArray<Observation> = ["Absent", "Starting", "Running", "Stopping", "Failed"]
const storedStates = states.filter((state) => state !== "DELETED")

const rows: fc.Arbitrary<Instance> = fc
  .record({
    state: fc.constantFrom(...storedStates),
    reason: fc.constantFrom(...reasons),
    isAsked: fc.boolean(),
    isStandalone: fc.boolean(),
    heardAfterUpdate: fc.boolean()
  })
  .map(({ state, reason, isAsked, isStandalone, heardAfterUpdate }) =>
    instanceRow("a", {
      state,
      reason: state === "ERROR" ? reason : null,
      deletionRequestedAt: isAsked || state === "DELETING" ? 1 : null,
      ...(isStandalone ? { fleet: null, ordinal: null } : {}),
      updatedAt: 10,
      lastHeartbeatAt: heardAfterUpdate ? 11 : 9
    })
  )
const seen: fc.Arbitrary<InstancePlan.Seen> = fc.record({
  observation: fc.option(fc.constantFrom(...observations), { nil: undefined }),
  isStopAsked: fc.boolean()
})

describe("Instance", () => {
  // covers A7
  it("has a way out of every state but DELETED, and to DELETED only through DELETING", () => {
    const reachable = (from: State): ReadonlySet<State> => {
      const found = new Set<State>([from])
      for (const state of found) for (const to of moves[state]) found.add(to)
      return found
    }
    for (const state of states) assert.isTrue(reachable(state).has("DELETED"), state)
    assert.deepStrictEqual(moves.DELETED, [])
    assert.deepStrictEqual(
      states.filter((state) => canMove(state, "DELETED")),
      ["DELETING"]
    )
    for (const state of storedStates) if (state !== "DELETING") assert.isTrue(canMove(state, "DELETING"), state)
  })
})

describe("InstancePlan", () => {
  // covers A7
  it("plans only moves that the table allows, whatever the row and whatever was seen", () =>
    fc.assert(
      fc.property(rows, seen, (row, saw) => {
        const step = InstancePlan.next(row, saw, 20)
        assert.isTrue(step._tag !== "Move" || canMove(row.state, step.to), `${row.state}: ${step._tag}`)
        assert.isTrue(step._tag !== "Move" || step.to !== "ERROR" || step.reason !== null)
        assert.isTrue(step._tag !== "Remove" || row.state === "DELETING")
      })
    ))

  it("starts only what is CREATING and wanted, and only when it is seen to be absent", () =>
    fc.assert(
      fc.property(rows, seen, (row, saw) => {
        if (InstancePlan.next(row, saw, 20)._tag !== "Start") return
        assert.strictEqual(row.state, "CREATING")
        assert.isNull(row.deletionRequestedAt)
        assert.strictEqual(saw.observation, "Absent")
      })
    ))

  // covers A11
  it("lets a row leave only after its resource was told to stop and then seen to be gone", () =>
    fc.assert(
      fc.property(rows, seen, (row, saw) => {
        if (InstancePlan.next(row, saw, 20)._tag !== "Remove") return
        assert.deepStrictEqual(saw, { observation: "Absent", isStopAsked: true })
      })
    ))

  it("lets a deletion come before everything else", () =>
    fc.assert(
      fc.property(rows, seen, (row, saw) => {
        if (row.deletionRequestedAt === null || row.state === "DELETING") return
        assert.deepStrictEqual(InstancePlan.next(row, saw, 20), { _tag: "Move", to: "DELETING", reason: null })
      })
    ))

  it("needs at most three steps without a move before it waits, settles, starts or lets go (no hot loop)", () =>
    fc.assert(
      fc.property(rows, fc.constantFrom(...observations), (row, observation) => {
        let saw = InstancePlan.nothingSeen
        for (let steps = 0; ; steps++) {
          const step = InstancePlan.next(row, saw, 20)
          assert.isAtMost(steps, 3)
          if (step._tag === "Observe") saw = { ...saw, observation }
          else if (step._tag === "Stop") saw = { observation: undefined, isStopAsked: true }
          else return
        }
      })
    ))

  it("gives up on one that is starting for too long, so that it is started anew or replaced", () => {
    const creating = instanceRow("a", { state: "CREATING" })
    const starting = { observation: "Starting", isStopAsked: false } as const
    assert.strictEqual(InstancePlan.next(creating, starting, startTimeoutMillis * 1_000)._tag, "Wait")
    assert.deepStrictEqual(InstancePlan.next(creating, starting, startTimeoutMillis * 1_000 + 1), {
      _tag: "Move",
      to: "ERROR",
      reason: "StartFailed"
    })
  })

  it("counts the time for a start from when there was room for it: one that waited longer than a start may take is not given up", () => {
    const waitedMicros = 2 * startTimeoutMillis * 1_000
    const row = instanceRow("a", { state: "CREATING", updatedAt: 0 })
    const absent = { observation: "Absent", isStopAsked: false } as const
    assert.deepStrictEqual(InstancePlan.next(row, absent, 0), { _tag: "Start" })
    assert.deepStrictEqual(InstancePlan.next(row, absent, waitedMicros), { _tag: "Begin" })
    // Also when the clock of the database has jumped meanwhile, it begins once and is started then.
    assert.deepStrictEqual(InstancePlan.next(row, { ...absent, isBegun: true }, waitedMicros), { _tag: "Start" })
    const begun = { ...row, updatedAt: waitedMicros }
    assert.deepStrictEqual(InstancePlan.next(begun, absent, waitedMicros + 1), { _tag: "Start" })
    const starting = { observation: "Starting", isStopAsked: false } as const
    assert.strictEqual(InstancePlan.next(begun, starting, waitedMicros + 1_000_000)._tag, "Wait")
  })

  it("looks the more seldom at what is under way the longer it takes, each second at first and each five seconds at last", () => {
    const waits = (sinceMillis: number) => {
      const starting = { observation: "Starting", isStopAsked: false } as const
      const step = InstancePlan.next(
        instanceRow("a", { state: "CREATING", updatedAt: 0 }),
        starting,
        sinceMillis * 1_000
      )
      return step._tag === "Wait" ? step.afterMillis : undefined
    }
    assert.deepStrictEqual(
      [0, 1_000, 3_000, 9_999, 10_000, 30_000].map(waits),
      [1_000, 1_000, 1_500, 4_999, 5_000, 5_000]
    )
  })

  // covers A12
  it("takes back one that was given up for its silence, is heard again, and runs", () => {
    const row = instanceRow("a", { state: "ERROR", reason: "HeartbeatStale", updatedAt: 10, lastHeartbeatAt: 11 })
    assert.deepStrictEqual(InstancePlan.next(row, { observation: "Running", isStopAsked: false }, 20), {
      _tag: "Move",
      to: "RUNNING",
      reason: null
    })
  })

  it("leaves a failed member to its fleet, and starts a failed standalone instance anew once it is gone", () => {
    const failed = instanceRow("a", { state: "ERROR", reason: "StartFailed" })
    const standalone = { ...failed, fleet: null, ordinal: null }
    assert.deepStrictEqual(InstancePlan.next(failed, InstancePlan.nothingSeen, 20), { _tag: "Settle" })
    assert.deepStrictEqual(InstancePlan.next(standalone, InstancePlan.nothingSeen, 20), { _tag: "Stop" })
    assert.deepStrictEqual(InstancePlan.next(standalone, { observation: "Absent", isStopAsked: true }, 20), {
      _tag: "Move",
      to: "CREATING",
      reason: null
    })
  })

  /** What the plan says in each state to each thing that may be seen, "-" for nothing yet. */
  const table = (changes: Partial<Instance>, isStopAsked: boolean): ReadonlyArray<string> =>
    [undefined, ...observations].map((observation) => {
      const step = InstancePlan.next(instanceRow("a", changes), { observation, isStopAsked }, 20)
      const move = step._tag === "Move" ? ` ${step.to}${step.reason === null ? "" : ` ${step.reason}`}` : ""
      return `${observation ?? "-"}: ${step._tag}${move}`
    })
  const always = (step: string) => ["-", ...observations].map((seen) => `${seen}: ${step}`)
  const whileItGoes = (whenGone: string) => ["-: Observe", `Absent: ${whenGone}`, ...always("Wait").slice(2)]
  const standalone = { fleet: null, ordinal: null } as const
  const failed = { ...standalone, state: "ERROR", reason: "HeartbeatStale", updatedAt: 10 } as const

  for (const [situation, changes, isStopAsked, expected] of [
    ["PENDING", { state: "PENDING" }, false, always("Move CREATING")],
    [
      "CREATING",
      { state: "CREATING" },
      false,
      [
        "-: Observe",
        "Absent: Start",
        "Starting: Wait",
        "Running: Move RUNNING",
        "Stopping: Wait",
        "Failed: Move ERROR StartFailed"
      ]
    ],
    [
      "RUNNING",
      { state: "RUNNING" },
      false,
      [
        "-: Observe",
        "Absent: Move ERROR Vanished",
        "Starting: Wait",
        "Running: Settle",
        "Stopping: Move ERROR Vanished",
        "Failed: Move ERROR Vanished"
      ]
    ],
    [
      "MODIFYING",
      { state: "MODIFYING" },
      false,
      [
        "-: Observe",
        "Absent: Move ERROR Vanished",
        "Starting: Wait",
        "Running: Move RUNNING",
        "Stopping: Move ERROR Vanished",
        "Failed: Move ERROR Vanished"
      ]
    ],
    ["STOPPING, not yet told", { state: "STOPPING" }, false, always("Stop")],
    ["STOPPING", { state: "STOPPING" }, true, whileItGoes("Move STOPPED")],
    ["STOPPED", { state: "STOPPED" }, false, always("Settle")],
    ["DELETING, not yet told", { state: "DELETING", deletionRequestedAt: 1 }, false, always("Stop")],
    ["DELETING", { state: "DELETING", deletionRequestedAt: 1 }, true, whileItGoes("Remove")],
    ["DELETED", { state: "DELETED" }, false, always("Settle")],
    ["ERROR in a fleet", { state: "ERROR", reason: "Vanished" }, false, always("Settle")],
    ["ERROR, standalone and not yet told", { ...failed, reason: "Vanished" }, false, always("Stop")],
    ["ERROR, standalone", { ...failed, reason: "Vanished" }, true, whileItGoes("Move CREATING")],
    ["ERROR for its silence, never heard", failed, false, always("Stop")],
    ["ERROR for its silence, last heard just then", { ...failed, lastHeartbeatAt: 10 }, false, always("Stop")],
    [
      "ERROR for another reason, heard again",
      { ...failed, reason: "Vanished", lastHeartbeatAt: 11 },
      false,
      always("Stop")
    ],
    [
      "ERROR for its silence, heard again",
      { ...failed, lastHeartbeatAt: 11 },
      false,
      always("Stop").toSpliced(0, 1, "-: Observe").toSpliced(3, 1, "Running: Move RUNNING")
    ],
    ["ERROR for its silence before 1970, never heard", { ...failed, updatedAt: -10 }, false, always("Stop")]
  ] as const) {
    it(`${situation}: ${expected.join(", ")}`, () => assert.deepStrictEqual(table(changes, isStopAsked), [...expected]))
  }

  it("has patience from the last change of the row on, not from 1970", () => {
    const saw = { observation: "Starting", isStopAsked: false } as const
    const at = (micros: number) =>
      InstancePlan.next(instanceRow("a", { state: "CREATING", updatedAt: 1e15 }), saw, micros)
    assert.strictEqual(at(1e15 + startTimeoutMillis * 1_000)._tag, "Wait")
    assert.strictEqual(at(1e15 + startTimeoutMillis * 1_000 + 1)._tag, "Move")
  })

  it("begins with nothing seen and nothing told", () =>
    assert.deepStrictEqual(InstancePlan.nothingSeen, { observation: undefined, isStopAsked: false }))
})

describe("the moves", () => {
  // covers A7
  it("are these", () =>
    assert.deepStrictEqual(
      states.map((state) => `${state} > ${moves[state].join(" ")}`.trim()),
      [
        "PENDING > CREATING DELETING",
        "CREATING > RUNNING ERROR DELETING",
        "RUNNING > MODIFYING STOPPING ERROR DELETING",
        "MODIFYING > RUNNING ERROR DELETING",
        "STOPPING > STOPPED ERROR DELETING",
        "STOPPED > CREATING DELETING",
        "DELETING > DELETED",
        "DELETED >",
        "ERROR > CREATING RUNNING DELETING"
      ]
    ))
})
