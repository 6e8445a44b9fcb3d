import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { memberJoinDebounceMillis } from "../Limits.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import {
  type Member,
  beat,
  holderOf,
  join,
  leave,
  live,
  members,
  settledAmong,
  shareholders,
  versionOf
} from "./Member.ts"

const nowMicros = 1_000_000_000_000
const member = (id: string, joinedSecondsAgo: number, weight = 1): Member => ({
  id,
  address: `${id}:8081`,
  incarnation: 1,
  weight,
  joinedAt: nowMicros - joinedSecondsAgo * 1_000_000,
  seenAt: nowMicros,
  leavingAt: null
})

const sharing = (live: ReadonlyArray<Member>, at: number, before: ReadonlyArray<string> = []) =>
  shareholders(live, settledAmong(live, { nowMicros: at, before: new Set(before) }))

describe("Member", () => {
  it("keeps buckets from a member that joined less than the debounce ago", () => {
    const live = [member("n1", 60), member("n2", 60), member("n3", 1)]
    assert.deepStrictEqual(
      sharing(live, nowMicros).map((each) => each.id),
      ["n1", "n2"]
    )
  })

  it("lets everybody share while the whole cluster is new", () => {
    const live = [member("n1", 1), member("n2", 0)]
    assert.deepStrictEqual(sharing(live, nowMicros), live)
  })

  it("gives nothing to a member without a share, also when nobody else has been there for long", () => {
    const named = (live: ReadonlyArray<Member>) => sharing(live, nowMicros).map((each) => each.id)
    assert.deepStrictEqual(named([member("n1", 60), member("n2", 60, 0)]), ["n1"])
    assert.deepStrictEqual(named([member("n1", 1), member("n2", 60, 0)]), ["n1"])
    assert.deepStrictEqual(named([member("n2", 60, 0)]), [])
  })

  it("leaves nobody out once the debounce has passed", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10 })), (ages) => {
        const live = ages.map((age, index) => member(`n${index}`, age))
        const later = nowMicros + memberJoinDebounceMillis * 1_000
        assert.strictEqual(sharing(live, later).length, live.length)
        if (live.length > 0) assert.isAbove(sharing(live, nowMicros).length, 0)
      })
    ))

  it("takes nobody's share when the database's clock is set back, neither at once nor while it catches up", () => {
    const live = [member("n1", 10), member("n2", 20), member("n3", 30)]
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (backSeconds, afterSeconds) => {
        const now = nowMicros + (afterSeconds - backSeconds) * 1_000_000
        assert.deepStrictEqual(sharing(live, now, live.map(holderOf)), live)
      })
    )
  })

  it("leaves a node that has just begun to look with the same shares, but within the debounce of a join", () => {
    const live = [member("n1", 10), member("n2", 20)]
    const at = (seconds: number) => sharing(live, nowMicros + seconds * 1_000_000).map((each) => each.id)
    assert.deepStrictEqual(at(-60), ["n1", "n2"])
    assert.deepStrictEqual(at(-10), ["n2"])
    assert.deepStrictEqual(at(-6), ["n1", "n2"])
  })

  it("names equal sets of members by equal versions, and a restart or another weight by another", () => {
    const [one, two] = [member("n1", 60), member("n2", 60)]
    assert.strictEqual(versionOf([one, two]), versionOf([two, one]))
    assert.notStrictEqual(versionOf([one, two]), versionOf([one, { ...two, incarnation: 2 }]))
    assert.notStrictEqual(versionOf([one, two]), versionOf([one, { ...two, weight: 2 }]))
    assert.strictEqual(holderOf({ ...one, incarnation: 7 }), "n1/7")
    const named = (id: string, weight: number) => ({ ...one, id, weight })
    assert.notStrictEqual(versionOf([named("0a", 1), named("1b", 1)]), versionOf([named("0a", 11), named("b", 1)]))
  })
})

describe("the rows of members", () => {
  const { nowMicros } = new StillDatabase(members)
  const liveMillis = 6_000

  /** Of n1 to n3: two addresses and incarnations, seen just within T, T ago and just longer ago, leaving or not. */
  const stored = fc
    .tuple(
      ...["n1", "n2", "n3"].map((id) =>
        fc.option(
          fc.record({
            id: fc.constant(id),
            address: fc.constantFrom("here:1", "there:1"),
            incarnation: fc.constantFrom(3, 4),
            weight: fc.constantFrom(1, 5),
            joinedAt: fc.constant(7),
            seenAt: fc.constantFrom(-1, 0, 1).map((late) => nowMicros - liveMillis * 1_000 - late),
            leavingAt: fc.constantFrom(null, 9)
          }),
          { freq: 8 }
        )
      )
    )
    .map((rows) => rows.filter((row) => row !== null))
  const isSilent = (row: Member) => row.seenAt <= nowMicros - liveMillis * 1_000
  const isSelf = (row: Member) => row.id === "n1" && row.incarnation === 3
  const self = { id: "n1", incarnation: 3 }

  it("who joins has the name in the next incarnation, unless a live process that stays has it at another address", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(members).given(members, rows)
        const joined = database.ask(join(database.once, { id: "n1", address: "here:1", weight: 2, liveMillis }))
        const before = rows.find(({ id }) => id === "n1")
        if (before !== undefined && before.address !== "here:1" && !isSilent(before) && before.leavingAt === null) {
          assert.isUndefined(joined)
          assert.deepStrictEqual(database.rows(members), rows)
          return
        }
        const at = { joinedAt: nowMicros, seenAt: nowMicros, leavingAt: null }
        const row = { id: "n1", address: "here:1", incarnation: (before?.incarnation ?? 0) + 1, weight: 2, ...at }
        assert.deepStrictEqual(joined, row)
        assert.deepStrictEqual(database.rows(members), [row, ...rows.filter(({ id }) => id !== "n1")])
      })
    ))

  it("a beat is of one incarnation, and says only that it was seen", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(members).given(members, rows)
        const after = rows.map((row) => (isSelf(row) ? { ...row, seenAt: nowMicros } : row))
        assert.deepStrictEqual(database.ask(beat(database.once, self)), after.find(isSelf))
        assert.deepStrictEqual(database.rows(members), after)
      })
    ))

  it("who goes says so for its own incarnation alone", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(members).given(members, rows)
        const after = rows.map((row) => (isSelf(row) ? { ...row, leavingAt: nowMicros } : row))
        assert.deepStrictEqual(database.ask(leave(database.once, self)), after.filter(isSelf))
        assert.deepStrictEqual(database.rows(members), after)
      })
    ))

  it("those are live who were seen less than T ago and stay, in the order of their names", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(members).given(members, rows.toReversed())
        assert.deepStrictEqual(
          database.ask(live(database.once, liveMillis)),
          rows.filter((row) => !isSilent(row) && row.leavingAt === null)
        )
      })
    ))

  it("nobody has a weight of less than nothing", () => {
    const { id, ...rest } = member("n1", 1)
    const refusals = [1, 0, -1].map((weight) => new StillDatabase(members).refusal(members, [{ id, ...rest, weight }]))
    assert.deepStrictEqual(refusals, [undefined, undefined, "members_weightIsNotNegative"])
  })
})
