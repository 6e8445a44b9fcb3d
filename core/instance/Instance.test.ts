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
    assert.deepStrictEqual(InstancePlan.next(creating, starting, startTimeoutMillis * 1_000), { _tag: "Wait" })
    assert.deepStrictEqual(InstancePlan.next(creating, starting, startTimeoutMillis * 1_000 + 1), {
      _tag: "Move",
      to: "ERROR",
      reason: "StartFailed"
    })
  })

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
})
