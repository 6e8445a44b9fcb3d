import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { idempotencyClaimMillis, idempotencyKeyCharsMax } from "../Limits.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import {
  type IdempotencyKey,
  claim,
  fingerprintOf,
  finish,
  idempotencyKeys,
  judge,
  look,
  lookFinished,
  problem,
  purge
} from "./IdempotencyKey.ts"

const row: IdempotencyKey = {
  scope: "p/alice/putFleet",
  key: "k1",
  fingerprint: "f1",
  state: "executing",
  holder: "n1/1",
  epoch: 1,
  claimedAt: 0,
  claimExpiresAt: 5_000_000,
  status: null,
  body: null,
  createdAt: 0,
  expiresAt: 86_400_000_000
}

describe("IdempotencyKey", () => {
  // covers A1
  it("refuses a key that is missing, empty, too long or not printable, and says why", () => {
    assert.include(problem(undefined), "required")
    assert.include(problem(""), "empty")
    assert.include(problem("k".repeat(idempotencyKeyCharsMax + 1)), "256 characters")
    assert.include(problem("a b"), "printable")
    assert.include(problem("ключ"), "printable")
    assert.isUndefined(problem("k".repeat(idempotencyKeyCharsMax)))
  })

  // covers A3
  it("judges the payload before the progress: another request with the key is a mismatch, finished or not", () => {
    const finished: IdempotencyKey = { ...row, state: "finished", status: 200, body: "{}" }
    assert.deepStrictEqual(judge(row, "f2"), { _tag: "Mismatch" })
    assert.deepStrictEqual(judge(finished, "f2"), { _tag: "Mismatch" })
    assert.deepStrictEqual(judge(row, "f1"), { _tag: "InProgress" })
  })

  // covers A1, A4
  it("replays what was stored, errors included, byte for byte", () =>
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.string(), (status, body) =>
        assert.deepStrictEqual(judge({ ...row, state: "finished", status, body }, "f1"), {
          _tag: "Replay",
          answer: { status, body }
        })
      )
    ))

  it("gives a retry the fingerprint of its first request, in whatever order its members are", () => {
    const request = { method: "PUT", path: "/v1/projects/p/fleets/web", scope: "p/alice/putFleet" }
    const first = fingerprintOf({ ...request, body: { desired: 3, spec: { image: "a" } } })
    assert.strictEqual(fingerprintOf({ ...request, body: { spec: { image: "a" }, desired: 3 } }), first)
    assert.notStrictEqual(fingerprintOf({ ...request, body: { desired: 4, spec: { image: "a" } } }), first)
    assert.notStrictEqual(
      fingerprintOf({ ...request, path: "/v1/projects/p/fleets/db", body: { desired: 3, spec: { image: "a" } } }),
      first
    )
    assert.notStrictEqual(
      fingerprintOf({ ...request, method: "POST", body: { desired: 3, spec: { image: "a" } } }),
      first
    )
    assert.notStrictEqual(
      fingerprintOf({ ...request, scope: "q/alice/putFleet", body: { desired: 3, spec: { image: "a" } } }),
      first
    )
  })
})

describe("the rows of idempotency keys", () => {
  const { nowMicros } = new StillDatabase(idempotencyKeys)
  const around = fc.constantFrom(nowMicros - 1, nowMicros, nowMicros + 1)

  /** A key, or none, and its neighbours in scope and name: of two requests, executed or finished, about their ends. */
  const stored: fc.Arbitrary<ReadonlyArray<IdempotencyKey>> = fc
    .tuple(
      ...[
        { scope: "s", key: "k" },
        { scope: "s", key: "other" },
        { scope: "t", key: "k" }
      ].map((named) =>
        fc.option(
          fc
            .record({
              isFinished: fc.boolean(),
              fingerprint: fc.constantFrom("f1", "f2"),
              epoch: fc.constantFrom(1, 2),
              claimExpiresAt: around,
              expiresAt: around
            })
            .map(({ isFinished, ...rest }): IdempotencyKey => ({
              ...row,
              ...named,
              ...rest,
              ...(isFinished ? { state: "finished", status: 200, body: "{}" } : {})
            })),
          { freq: 8 }
        )
      )
    )
    .map((rows) => rows.filter((each) => each !== null))
  const isIt = ({ key, scope }: IdempotencyKey) => scope === "s" && key === "k"
  const isOver = ({ claimExpiresAt, expiresAt }: IdempotencyKey) =>
    claimExpiresAt <= nowMicros && expiresAt <= nowMicros

  // covers A3, A5
  it("a claim takes a key that is new, past its time, or abandoned by the same request, each time in a new epoch", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(idempotencyKeys).given(idempotencyKeys, rows)
        const request = { scope: "s", key: "k", fingerprint: "f1", holder: "n2/1", keptMillis: 90_000 }
        const before = rows.find(isIt)
        const isAbandoned = (each: IdempotencyKey) =>
          each.state === "executing" && each.claimExpiresAt <= nowMicros && each.fingerprint === "f1"
        const claimed = database.ask(claim(database.once, request))
        if (before !== undefined && !isOver(before) && !isAbandoned(before)) {
          assert.isUndefined(claimed)
          assert.sameDeepMembers([...database.rows(idempotencyKeys)], [...rows])
          return
        }
        const after: IdempotencyKey = {
          scope: "s",
          key: "k",
          fingerprint: "f1",
          state: "executing",
          holder: "n2/1",
          epoch: (before?.epoch ?? 0) + 1,
          claimedAt: nowMicros,
          claimExpiresAt: nowMicros + idempotencyClaimMillis * 1_000,
          status: null,
          body: null,
          createdAt: nowMicros,
          expiresAt: nowMicros + 90_000_000
        }
        assert.deepStrictEqual(claimed, after)
        const others = rows.filter((each) => !isIt(each))
        assert.sameDeepMembers([...database.rows(idempotencyKeys)], [after, ...others])
      })
    ))

  // covers A1
  it("the key is looked up in its scope", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(idempotencyKeys).given(idempotencyKeys, rows)
        assert.deepStrictEqual(database.ask(look(database.once, { scope: "s", key: "k" })), rows.find(isIt))
      })
    ))

  it("the row of a key is found first when it has its answer, and only until it expires", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(idempotencyKeys).given(idempotencyKeys, rows)
        const isKnown = (each: IdempotencyKey) => isIt(each) && each.state === "finished" && each.expiresAt > nowMicros
        assert.deepStrictEqual(database.ask(lookFinished(database.once, { scope: "s", key: "k" })), rows.find(isKnown))
      })
    ))

  // covers A2, A5
  it("only the claim that is still ours is finished, once", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(idempotencyKeys).given(idempotencyKeys, rows)
        const isOurs = (each: IdempotencyKey) => isIt(each) && each.state === "executing" && each.epoch === 2
        const change = { state: "finished", status: 409, body: "no" } as const
        const after = rows.map((each) => (isOurs(each) ? { ...each, ...change } : each))
        const ended = finish(database.calls, { scope: "s", key: "k", epoch: 2 }, { status: 409, body: "no" })
        assert.deepStrictEqual(
          database.ask(ended),
          after.find((_, index) => isOurs(rows[index]!))
        )
        assert.sameDeepMembers([...database.rows(idempotencyKeys)], after)
      })
    ))

  it("those past their time are removed and counted, but for what is still being executed; and by a leader alone", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(idempotencyKeys).given(idempotencyKeys, rows)
        const fences = [{ lease: "leader", epoch: 7 }]
        const asked: Array<unknown> = []
        const once: typeof database.once = (call, options) => {
          asked.push(options.fences)
          return database.once(call, options)
        }
        assert.strictEqual(database.ask(purge(once, fences)), rows.filter(isOver).length)
        assert.sameDeepMembers(
          [...database.rows(idempotencyKeys)],
          rows.filter((each) => !isOver(each))
        )
        assert.isNotEmpty(asked)
        assert.deepStrictEqual(
          asked,
          asked.map(() => fences)
        )
      })
    ))

  it("a finished key has its answer, and one that is executed has none", () => {
    const maybe = <A>(value: A) => fc.constantFrom(null, value)
    fc.assert(
      fc.property(fc.constantFrom("executing", "finished"), maybe(200), maybe("{}"), (state, status, body) => {
        const refusal = new StillDatabase(idempotencyKeys).refusal(idempotencyKeys, [{ ...row, state, status, body }])
        const isSound = (state === "finished") === (status !== null) && (state === "finished") === (body !== null)
        assert.strictEqual(refusal, isSound ? undefined : "idempotency_keys_finishedHasAnswer")
      })
    )
  })
})
