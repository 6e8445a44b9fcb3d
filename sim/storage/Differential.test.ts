/**
 * The model against real Postgres: random schedules of concurrent transactions must show the same on both, step by step
 * (Lockstep.fixture.ts says what that means). `npm run schedules` plays a hundred thousand.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { database, skipped } from "../../adapters/postgres/Database.fixture.ts"
import type { Connection } from "../../adapters/postgres/EmbeddedPostgres.ts"
import { add, and, eq, ge, isIn, subtract } from "../../core/ports/Condition.ts"
import { type Isolation, type Fence, type RowLock, type Transaction, leases } from "../../core/ports/Storage.ts"
import { accounts, statementOf } from "./Dialogue.ts"
import { Model, type Move, type Observed, type Turn, describe as told } from "./Lockstep.fixture.ts"
import { RealServer, createTables } from "./RealServer.fixture.ts"
import type { ReadTracking } from "./Serializability.ts"

const sessionCount = 4
const isCampaign = process.env["STORMGLASS_SCHEDULES"] !== undefined
const schedulesInAll = Number(process.env["STORMGLASS_SCHEDULES"] ?? 1_000)

const saying = (call: (t: Transaction) => Effect.Effect<unknown, unknown>): Move => ({
  does: "execute",
  statement: statementOf(call)
})

const takeOver = (lease: string): Move =>
  saying((t) => t.update(leases, { where: (row) => eq(row.key, lease), set: (row) => ({ epoch: add(row.epoch, 1) }) }))

const id = fc.integer({ min: 1, max: 4 })
const amount = fc.integer({ min: 1, max: 6 })
const name = fc.constantFrom("one", "two", "a", "b")
const lock = fc.constantFrom<RowLock>("for update", "for no key update", "for share", "for key share")

const reads: fc.Arbitrary<Move> = fc.oneof(
  fc.constant(saying((t) => t.select(accounts))),
  id.map((id) => saying((t) => t.get(accounts, { id }))),
  amount.map((value) => saying((t) => t.select(accounts, { where: (row) => ge(row.value, value) }))),
  amount.map((value) => saying((t) => t.count(accounts, (row) => eq(row.value, value)))),
  name.map((name) => saying((t) => t.select(accounts, { where: (row) => eq(row.name, name) })))
)

const locksOf = (isLimited: boolean): fc.Arbitrary<Move> =>
  fc.oneof(
    fc
      .record({ id, lock, skipLocked: fc.boolean() })
      .map(({ id, ...how }) => saying((t) => t.select(accounts, { where: (row) => eq(row.id, id), ...how }))),
    fc
      .record({ lock, skipLocked: fc.boolean(), limit: fc.integer({ min: 1, max: 2 }), value: amount })
      .map(({ limit, value, ...how }) =>
        saying((t) =>
          t.select(accounts, {
            where: (row) => ge(row.value, value),
            orderBy: ["id"],
            ...(isLimited ? { limit } : {}),
            ...how
          })
        )
      )
  )

const updates: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({ id, amount })
      .map(({ id, amount }) =>
        saying((t) =>
          t.update(accounts, { where: (row) => eq(row.id, id), set: (row) => ({ value: add(row.value, amount) }) })
        )
      )
  },
  {
    weight: 3,
    arbitrary: fc.record({ id, amount }).map(({ id, amount }) =>
      saying((t) =>
        t.update(accounts, {
          where: (row) => and(eq(row.id, id), ge(row.value, amount)),
          set: (row) => ({ value: subtract(row.value, amount) })
        })
      )
    )
  },
  {
    weight: 1,
    arbitrary: fc.record({ id, amount }).map(({ id, amount }) =>
      saying((t) =>
        t.update(accounts, {
          where: (row) => eq(row.id, id),
          set: (row) => ({ value: subtract(row.value, amount * 3) })
        })
      )
    )
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ id, name })
      .map(({ id, name }) =>
        saying((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ name }) }))
      )
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ id, to: id })
      .map(({ id, to }) =>
        saying((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ id: to }) }))
      )
  }
)

const inserts: fc.Arbitrary<Move> = fc.record({ id, name, how: fc.nat({ max: 4 }) }).map(({ how, id, name }) =>
  saying((t) =>
    t.insert(
      accounts,
      { id, name, value: 5 },
      (
        [
          {},
          { onConflict: { target: ["id"], action: "nothing" } },
          { onConflict: { target: ["name"], action: "nothing" } },
          {
            onConflict: { target: ["id"], action: "update", set: (row) => ({ value: add(row.value, 1) }) }
          },
          {
            onConflict: {
              target: ["id"],
              action: "update",
              set: (_row, excluded) => ({ name: excluded.name }),
              where: (row) => ge(row.value, 3)
            }
          }
        ] as ReadonlyArray<NonNullable<Parameters<typeof t.insert<AccountRow>>[2]>>
      )[how]!
    )
  )
)
type AccountRow = { readonly id: number; readonly name: string; readonly value: number }

const deletes: fc.Arbitrary<Move> = fc.oneof(
  id.map((id) => saying((t) => t.delete(accounts, { where: (row) => eq(row.id, id) }))),
  amount.map((value) => saying((t) => t.delete(accounts, { where: (row) => and(eq(row.id, 1), ge(row.value, value)) })))
)

const epoch = fc.integer({ min: 1, max: 2 })
/** Of one lease or two, in either order. */
const fences: fc.Arbitrary<ReadonlyArray<Fence>> = fc.oneof(
  epoch.map((epoch) => [{ lease: "shard", epoch }]),
  fc.record({ lease: fc.constantFrom("shard", "other"), epoch }).map(({ epoch, lease }) => [
    { lease, epoch },
    { lease: lease === "shard" ? "other" : "shard", epoch: 1 }
  ])
)
const leasing: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fences.map((fences): Move => ({ does: "execute", statement: { _tag: "Fence", fences } }))
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("shard", "other").map(takeOver)
  },
  {
    weight: 1,
    arbitrary: epoch.map((epoch) =>
      saying((t) =>
        t.update(leases, {
          where: (row) => and(eq(row.key, "shard"), eq(row.epoch, epoch)),
          set: () => ({ holder: "somebody" })
        })
      )
    )
  },
  {
    weight: 1,
    arbitrary: fc.constant(
      saying((t) =>
        t.select(leases, { where: (row) => isIn(row.key, ["shard", "other"]), orderBy: ["key"], lock: "for update" })
      )
    )
  }
)

/** Any statement as `once` sends it: its fences are in it. */
const gatedOf = (locks: fc.Arbitrary<Move>) =>
  fc
    .record({ move: fc.oneof(reads, locks, updates, inserts, deletes), gate: fences })
    .map(({ gate, move }): Move => (move.does === "execute" ? { ...move, gate } : move))

const limitedOf = (locks: fc.Arbitrary<Move>) =>
  fc
    .record({ move: fc.oneof(updates, locks, inserts), limit: fc.constantFrom("lock", "statement") })
    .map(({ limit, move }): Move => (move.does === "execute" ? { ...move, limit: limit as "lock" } : move))

const movesOf = (readWeight: number, locks: fc.Arbitrary<Move>): fc.Arbitrary<Move> =>
  fc.oneof(
    { weight: readWeight, arbitrary: reads },
    { weight: 5, arbitrary: locks },
    { weight: 9, arbitrary: updates },
    { weight: 5, arbitrary: inserts },
    { weight: 2, arbitrary: deletes },
    { weight: 3, arbitrary: leasing },
    { weight: 3, arbitrary: gatedOf(locks) },
    { weight: 6, arbitrary: fc.constant<Move>({ does: "commit" }) },
    { weight: 2, arbitrary: fc.constant<Move>({ does: "rollback" }) },
    { weight: 1, arbitrary: fc.constant<Move>({ does: "cancel" }) }
  )
const rareOf = (readWeight: number, locks: fc.Arbitrary<Move>): fc.Arbitrary<Move> =>
  fc.oneof(
    { weight: 40, arbitrary: movesOf(readWeight, locks) },
    { weight: 1, arbitrary: limitedOf(locks) },
    { weight: 1, arbitrary: fc.constantFrom<Move>({ does: "falls silent" }, { does: "is ended" }) }
  )

type Schedule = ReadonlyArray<Turn>

const scheduleOf = (levels: ReadonlyArray<Isolation>) =>
  fc.array(
    fc.record({
      session: fc.nat({ max: sessionCount - 1 }),
      isolation: fc.constantFrom(...levels),
      // How much a limited select has read depends on its plan, which serializable remembers.
      move: levels.includes("serializable") ? rareOf(15, locksOf(false)) : rareOf(5, locksOf(true))
    }),
    { minLength: 8, maxLength: 40, size: "max" }
  )

const tables = [accounts, leases]
const initialAccounts = [
  { id: 1, name: "one", value: 5 },
  { id: 2, name: "two", value: 5 },
  { id: 3, name: "three", value: 5 }
]
const initialLease = {
  holder: "n1",
  epoch: 1,
  acquiredAt: 0,
  renewedAt: 0,
  expiresAt: 0,
  releasedAt: null
}

const given = [
  statementOf((t) => t.insert(accounts, initialAccounts)),
  statementOf((t) =>
    t.insert(leases, [
      { key: "shard", ...initialLease },
      { key: "other", ...initialLease }
    ])
  )
]

/** Steps by session, each in a transaction at this level. */
const turns = (...lines: ReadonlyArray<readonly [session: number, move: Move, isolation?: Isolation]>): Schedule =>
  lines.map(([session, move, isolation = "read committed"]) => ({ session, move, isolation }))

const rr = "repeatable read"
const commit: Move = { does: "commit" }
const rollback: Move = { does: "rollback" }
const change = (id: number, by = 1) =>
  saying((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: (row) => ({ value: add(row.value, by) }) }))
const rename = (id: number, to: string) =>
  saying((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ name: to }) }))
const keep = (id: number) => saying((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ id }) }))
const remove = (id: number) => saying((t) => t.delete(accounts, { where: (row) => eq(row.id, id) }))
const take = (id: number, lock: RowLock, skipLocked = false) =>
  saying((t) => t.select(accounts, { where: (row) => eq(row.id, id), lock, skipLocked }))
const look = saying((t) => t.select(accounts))
const gated = (move: Move, ...gate: ReadonlyArray<Fence>): Move => (move.does === "execute" ? { ...move, gate } : move)
const fence = (...fences: ReadonlyArray<Fence>): Move => ({ does: "execute", statement: { _tag: "Fence", fences } })

const upsert = (id: number, name: string) =>
  saying((t) =>
    t.insert(
      accounts,
      { id, name, value: 5 },
      { onConflict: { target: ["id"], action: "update", set: (row) => ({ value: add(row.value, 1) }) } }
    )
  )

const upsertName = (id: number, name: string) =>
  saying((t) =>
    t.insert(
      accounts,
      { id, name, value: 5 },
      { onConflict: { target: ["id"], action: "update", set: (_row, excluded) => ({ name: excluded.name }) } }
    )
  )

/** What the model once did otherwise, shrunk. */
const once: ReadonlyArray<{ readonly name: string; readonly schedule: Schedule }> = [
  {
    name: "who holds a weaker lock does not queue for a stronger one",
    schedule: turns(
      [0, change(1)],
      [1, take(1, "for key share")],
      [2, change(1)],
      [0, remove(1)],
      [1, commit],
      [0, commit]
    )
  },
  {
    name: "skip locked waits where the version it sees passes for key share and a later one does not",
    schedule: turns([1, change(1)], [1, remove(1)], [0, take(1, "for key share", true)], [1, commit])
  },
  {
    name: "a lock stronger than its update counts after the commit too",
    schedule: turns(
      [2, take(1, "for update")],
      [0, take(1, "for key share")],
      [2, change(1, -1)],
      [2, commit],
      [0, look]
    )
  },
  {
    name: "a locking select that has waited waits for the next holder before it is refused",
    schedule: turns([1, change(1)], [0, change(1)], [2, look, rr], [2, take(1, "for update")], [1, commit], [0, commit])
  },
  {
    name: "and keeps its place meanwhile",
    schedule: turns(
      [3, change(1)],
      [2, take(1, "for update")],
      [0, take(1, "for update")],
      [1, rename(1, "x"), rr],
      [3, commit],
      [2, commit],
      [0, commit]
    )
  },
  {
    name: "for share queues where an update was rolled back beside another lock",
    schedule: turns(
      [2, change(1)],
      [3, saying((t) => t.update(accounts, { where: (row) => eq(row.id, 1), set: () => ({ id: 9 }) }))],
      [0, take(1, "for key share")],
      [2, rollback],
      [1, take(1, "for share")],
      [0, commit],
      [3, commit]
    )
  },
  {
    name: "but not for who holds the row already",
    schedule: turns(
      [0, change(1)],
      [1, remove(1)],
      [2, take(1, "for key share")],
      [2, take(1, "for share")],
      [0, rollback],
      [2, commit]
    )
  },
  {
    name: "who is changing the row is awaited outside of the queue",
    schedule: turns([2, change(1)], [1, remove(1)], [0, change(1)], [2, commit], [2, rename(1, "x")], [1, rollback])
  },
  {
    name: "of several holders all are awaited, though the first has changed the row",
    schedule: turns([3, change(1)], [0, take(1, "for key share")], [1, rename(1, "x"), rr], [3, commit], [0, commit])
  },
  {
    name: "a version that others still hold is awaited, though a newer one is committed",
    schedule: turns(
      [3, look, rr],
      [0, change(1)],
      [1, take(1, "for key share")],
      [0, commit],
      [3, take(1, "for update")],
      [1, commit]
    )
  },
  {
    name: "an update that met a change locks by what it meant to change, not by what it names",
    schedule: turns([0, change(2)], [1, keep(2)], [0, commit], [0, take(2, "for key share")], [1, commit])
  },
  {
    name: "and by everybody who has come to hold it meanwhile",
    schedule: turns(
      [0, take(1, "for key share")],
      [1, remove(1), rr],
      [0, keep(1)],
      [2, take(1, "for key share")],
      [0, commit],
      [2, commit]
    )
  },
  {
    name: "on conflict do update of a key column that keeps its value locks the key",
    schedule: turns([3, upsertName(1, "one")], [0, look, rr], [0, take(1, "for key share")], [3, commit])
  },
  {
    name: "for share queues too where a stronger lock has ended beside another one",
    schedule: turns(
      [0, take(1, "for no key update")],
      [2, take(1, "for update")],
      [3, take(1, "for key share")],
      [0, commit],
      [1, take(1, "for share")],
      [3, commit],
      [2, commit]
    )
  },
  {
    name: "and on the version that was made since",
    schedule: turns(
      [0, take(1, "for no key update")],
      [3, take(1, "for key share")],
      [0, commit],
      [1, change(1)],
      [1, commit],
      [2, take(1, "for update")],
      [1, take(1, "for share")],
      [3, commit],
      [2, commit]
    )
  },
  {
    name: "those who queue for an older version are in nobody's way on the newer one",
    schedule: turns(
      [2, take(1, "for key share")],
      [0, take(1, "for update")],
      [3, upsert(1, "one")],
      [3, commit],
      [1, take(1, "for share")],
      [2, commit],
      [1, commit]
    )
  },
  {
    name: "until the next lock, which a holder's own that is no stronger is not",
    schedule: turns(
      [0, take(1, "for no key update")],
      [3, take(1, "for key share")],
      [2, take(1, "for update")],
      [0, commit],
      [3, take(1, "for key share")],
      [1, take(1, "for share")],
      [1, { does: "cancel" }],
      [1, rollback],
      [0, take(1, "for key share")],
      [1, take(1, "for share")],
      [0, commit],
      [1, commit],
      [3, commit]
    )
  },
  {
    name: "a new version is met in no index that it has not entered, though an older one is in it",
    schedule: turns(
      [1, look, rr],
      [1, rename(1, "a"), rr],
      [3, rename(2, "b")],
      [3, commit],
      [1, rename(1, "two"), rr],
      [0, saying((t) => t.insert(accounts, { id: 4, name: "two", value: 5 }))],
      [2, rename(2, "two")],
      [1, rollback],
      [0, commit]
    )
  },
  {
    name: "who meant to change a row and met a change queues again for what it read, while others hold that",
    schedule: turns(
      [1, change(1)],
      [3, change(1)],
      [2, remove(1)],
      [0, take(1, "for key share")],
      [0, change(1)],
      [1, commit],
      [0, commit],
      [2, commit],
      [3, commit]
    )
  },
  {
    name: "who holds the version it read waits for whoever changes a newer one, before it is refused",
    schedule: turns(
      [2, look, rr],
      [1, change(1)],
      [0, change(1, -1)],
      [1, commit],
      [2, take(1, "for key share")],
      [2, take(1, "for update")],
      [0, commit]
    )
  },
  {
    name: "a select that has waited for a change has locked the versions after it, though it waits for the next one",
    schedule: turns(
      [3, upsertName(1, "one")],
      [1, take(1, "for key share")],
      [0, keep(1)],
      [3, commit],
      [0, change(1, -1)],
      [0, upsertName(1, "four")]
    )
  },
  {
    name: "who waits for a lock on a version that was replaced meanwhile does not wait for who holds the newer one",
    schedule: turns(
      [2, take(3, "for key share")],
      [1, upsertName(3, "one"), rr],
      [0, change(3)],
      [0, commit],
      [0, take(3, "for no key update")],
      [2, commit],
      [0, commit]
    )
  },
  {
    name: "of many who were set free the server chose an order that shows much later",
    schedule: turns(
      [2, upsert(1, "one")],
      [3, upsert(1, "one")],
      [1, change(3)],
      [0, upsert(3, "one")],
      [1, saying((t) => t.update(accounts, { where: (row) => eq(row.id, 1), set: () => ({ id: 2 }) }))],
      [2, rollback],
      [3, rollback],
      [1, rollback]
    )
  },
  {
    name: "a lock that has become stronger on a newer version is as weak as it was on the one before",
    schedule: turns(
      [0, look, rr],
      [3, change(1)],
      [1, take(1, "for key share")],
      [3, commit],
      [1, change(1)],
      [0, change(1), rr]
    )
  },
  ...[look, saying((t) => t.count(accounts)), change(4)].map((move) => ({
    name: "who waited for its gate does not see the row that came meanwhile",
    schedule: turns(
      [0, takeOver("shard")],
      [1, gated(move, { lease: "shard", epoch: 1 })],
      [2, saying((t) => t.insert(accounts, { id: 4, name: "four", value: 5 }))],
      [2, commit],
      [0, rollback],
      [1, commit]
    )
  })),
  {
    name: "fences are locked by their keys, whatever their order",
    schedule: turns(
      [0, takeOver("other")],
      [1, fence({ lease: "shard", epoch: 1 }, { lease: "other", epoch: 1 })],
      [2, takeOver("shard")],
      [0, commit],
      [2, commit]
    )
  },
  {
    name: "those of a gate in their order, and none after one that does not hold",
    schedule: turns(
      [0, takeOver("other")],
      [1, gated(look, { lease: "shard", epoch: 1 }, { lease: "other", epoch: 1 })],
      [2, takeOver("shard")],
      [3, gated(look, { lease: "shard", epoch: 2 }, { lease: "other", epoch: 1 })],
      [0, commit],
      [2, commit]
    )
  }
]

const takeAll = saying((t) => t.select(accounts, { orderBy: ["id"], lock: "for update" }))

const seen = (replies: Readonly<Record<number, string>>, waits: Readonly<Record<number, number>> = {}): Observed => ({
  replies: new Map(Object.entries(replies).map(([session, reply]) => [Number(session), reply])),
  waits: new Map(Object.entries(waits).map(([session, whom]) => [Number(session), new Set([whom])]))
})
const row = (id: number, name: string, value: number) => JSON.stringify({ id, name, value })
const all = (...rows: ReadonlyArray<string>) => `${rows.length}: ${rows.toSorted().join(" ")}`
const three = row(3, "three", 5)

/** What the server has shown and will rarely show again: those who were set free together went on at the same time. */
const shown: ReadonlyArray<{
  readonly name: string
  readonly steps: ReadonlyArray<readonly [session: number, move: Move, server: Observed, isolation?: Isolation]>
}> = [
  {
    name: "both had written their rows before either looked for duplicates",
    steps: [
      [0, takeAll, seen({ 0: all(row(1, "one", 5), three, row(2, "two", 5)) })],
      [1, rename(2, "one"), seen({}, { 1: 0 })],
      [3, rename(1, "two"), seen({}, { 1: 0, 3: 0 })],
      [0, rollback, seen({ 0: "RolledBack", 1: "Deadlock", 3: "UniqueViolation accounts_key_name" })]
    ]
  },
  {
    name: "one found a duplicate before the other changed it, which shows when a third one queues",
    steps: [
      [0, change(1), seen({ 0: all(row(1, "one", 6)) })],
      [2, upsert(1, "a"), seen({}, { 2: 0 })],
      [1, change(1), seen({}, { 1: 0, 2: 0 })],
      [0, commit, seen({ 0: "Committed", 1: all(row(1, "one", 7)) }, { 2: 1 })],
      [3, look, seen({ 3: all(row(1, "one", 6), three, row(2, "two", 5)) }, { 2: 1 })],
      [0, change(1), seen({}, { 0: 2, 2: 1 })]
    ]
  },
  {
    name: "one was refused for a row of another, once a deadlock had ended that was in its way",
    steps: [
      [3, remove(1), seen({ 3: all(row(1, "one", 5)) }), "serializable"],
      [1, rename(3, "a"), seen({ 1: all(row(3, "a", 5)) })],
      [1, commit, seen({ 1: "Committed" })],
      [0, rename(3, "one"), seen({}, { 0: 3 })],
      [
        3,
        saying((t) =>
          t.insert(accounts, { id: 1, name: "a", value: 5 }, { onConflict: { target: ["name"], action: "nothing" } })
        ),
        seen({ 0: "Deadlock", 3: "SerializationFailure" })
      ]
    ]
  },
  {
    name: "a time limit struck who waited for nobody",
    steps: [
      [0, remove(3), seen({ 0: all(three) })],
      [1, { ...change(1), limit: "statement" } as Move, seen({ 1: "Timeout statement" })],
      [2, change(1), seen({ 2: all(row(1, "one", 6)) })]
    ]
  },
  {
    name: "one was refused by pages, and who waited for it overtook another",
    steps: [
      [2, takeAll, seen({ 2: all(row(1, "one", 5), three, row(2, "two", 5)) }), "serializable"],
      [1, remove(1), seen({}, { 1: 2 }), "serializable"],
      [0, takeAll, seen({}, { 0: 1, 1: 2 })],
      [3, rename(2, "one"), seen({}, { 0: 1, 1: 2, 3: 2 })],
      [2, upsert(2, "b"), seen({ 2: all(row(2, "two", 6)) }, { 0: 1, 1: 2, 3: 2 })],
      [
        2,
        commit,
        seen({ 0: all(row(1, "one", 5), three, row(2, "two", 6)), 1: "SerializationFailure", 2: "Committed" }, { 3: 0 })
      ]
    ]
  }
]

describe("the model", () => {
  for (const { name, steps } of shown) {
    it(`can do what the server once did: ${name}`, () => {
      const model = new Model({ tables, sessions: sessionCount, readTracking: "keys", given })
      for (const [session, move, server, isolation = "read committed"] of steps) {
        assert.strictEqual(model.play({ session, move, isolation }, server), undefined)
      }
    })
  }

  it("does not do what no choice leads to: a lock is not granted to two", () => {
    const model = new Model({ tables, sessions: sessionCount, readTracking: "keys", given })
    const [first, second] = turns([0, take(1, "for update")], [1, take(1, "for update")])
    const granted = all(row(1, "one", 5))
    assert.strictEqual(model.play(first!, seen({ 0: granted })), undefined)
    assert.strictEqual(model.play(second!, seen({ 1: granted })), `model: 1 waits for 0\nserver: 1 gets ${granted}`)
  })
})

/** One of the concurrent players: a schema and sessions of its own on the server. */
class Lane {
  readonly #server: RealServer
  readonly #tracking: ReadTracking
  readonly #counts: Counts

  constructor(server: RealServer, tracking: ReadTracking, counts: Counts) {
    this.#server = server
    this.#tracking = tracking
    this.#counts = counts
  }

  async play(schedule: Schedule): Promise<void> {
    await this.#server.reset()
    const model = new Model({ tables, sessions: sessionCount, readTracking: this.#tracking, given })
    const transcript: Array<string> = []
    for (const turn of schedule) {
      if (!model.canPlay(turn)) continue
      const server = await this.#server.play(turn)
      const differs = model.play(turn, server)
      transcript.push(`${said(turn)}\n    ${told(server)}`)
      this.#counts.steps++
      this.#counts.waits += server.waits.size
      if (differs !== undefined) assert.fail(`${transcript.join("\n")}\n\n${differs}`)
    }
    this.#counts.schedules++
    this.#counts.deadlocks += model.followed.deadlocks
    this.#counts.refusals += model.followed.refusals
    this.#counts.orders += model.followed.orders
  }
}

/** `deadlocks`, `refusals` and `orders` are the choices of the server that the model followed. */
interface Counts {
  schedules: number
  steps: number
  waits: number
  deadlocks: number
  refusals: number
  orders: number
}

const said = ({ isolation, move, session }: Turn): string => {
  const gate = move.does === "execute" && move.gate !== undefined ? ` behind ${JSON.stringify(move.gate)}` : ""
  const within = move.does === "execute" && move.limit !== undefined ? ` within ${move.limit} timeout` : ""
  const what = move.does === "execute" ? JSON.stringify(move.statement) : move.does
  return `${session} (${isolation}) ${what}${gate}${within}`
}

/**
 * Plans of one kind, so that it is known what serializable remembers: after a sequential scan the whole table, at once; after
 * another one pages, each when it is reached.
 */
const bySequence = ["set enable_indexscan = off", "set enable_bitmapscan = off", "set enable_indexonlyscan = off"]
const byIndex = ["set enable_seqscan = off", "set enable_bitmapscan = off"]

interface Kind {
  readonly name: string
  readonly levels: ReadonlyArray<Isolation>
  readonly settings: ReadonlyArray<string>
  readonly tracking: ReadTracking
  /** Of all schedules. */
  readonly share: number
}

const kinds: ReadonlyArray<Kind> = [
  { name: "snapshots", levels: ["read committed", rr], settings: byIndex, tracking: "keys", share: 0.5 },
  {
    name: "every level",
    levels: ["read committed", rr, "serializable"],
    settings: bySequence,
    tracking: "keys",
    share: 0.2
  },
  { name: "serializable, by table", levels: ["serializable"], settings: bySequence, tracking: "tables", share: 0.3 }
]

const laneCount = 4

/** So many schedules have one seed; after a disagreement a lane goes on with the next seed, until it has found this many. */
const schedulesPerSeed = 500
const disagreementsPerLane = 5

describe.skipIf(skipped())("the model and Postgres", () => {
  const scope = Scope.makeUnsafe()
  let connection: Connection
  let schemas = 0

  beforeAll(async () => {
    connection = await Effect.runPromise(Scope.provide(database, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const withLane = async (
    { settings, tracking }: Pick<Kind, "settings" | "tracking">,
    counts: Counts,
    body: (lane: Lane) => Promise<unknown>
  ) => {
    const schema = `lane_${schemas++}`
    await createTables(connection, { tables, given, schema })
    const server = await RealServer.open(connection, {
      tables,
      sessions: sessionCount,
      settings: [`set search_path = ${schema}`, ...settings]
    })
    try {
      await body(new Lane(server, tracking, counts))
    } finally {
      await server.close()
    }
  }

  const nothing = (): Counts => ({ schedules: 0, steps: 0, waits: 0, deadlocks: 0, refusals: 0, orders: 0 })

  it("agree where they once did not", () =>
    withLane({ settings: byIndex, tracking: "keys" }, nothing(), async (lane) => {
      for (const { name, schedule } of once) {
        await lane.play(schedule).catch((failure: Error) => assert.fail(`${name}\n${failure.message}`))
      }
    }))

  for (const kind of kinds) {
    it(
      `agree on every step of random schedules: ${kind.name}`,
      async () => {
        const counts = nothing()
        const { seed: firstSeed = 1 } = fc.readConfigureGlobal()
        const numRuns = Math.ceil((schedulesInAll * kind.share) / laneCount)
        const disagreements: Array<string> = []
        const explore = async (lane: Lane, nth: number) => {
          const property = fc.asyncProperty(scheduleOf(kind.levels), (schedule) => lane.play(schedule))
          let found = 0
          for (let begun = 0; begun < numRuns && found < disagreementsPerLane; begun += schedulesPerSeed) {
            const seed = firstSeed + nth + (laneCount * begun) / schedulesPerSeed
            const outcome = await fc.check(property, { seed, numRuns: Math.min(schedulesPerSeed, numRuns - begun) })
            if (isCampaign) console.log(`${kind.name}, seed ${seed}: ${JSON.stringify(counts)}`)
            if (!outcome.failed) continue
            found++
            const failure = outcome.errorInstance
            const what = failure instanceof Error ? failure.message : String(failure)
            disagreements.push(`seed ${seed}, path ${outcome.counterexamplePath}:\n${what}`)
            if (isCampaign) console.log(disagreements.at(-1))
          }
        }
        await Promise.all(
          Array.from({ length: laneCount }, (_, nth) => withLane(kind, counts, (lane) => explore(lane, nth)))
        )
        assert.isEmpty(disagreements, disagreements.join("\n\n"))
        assert.isAtLeast(counts.schedules, numRuns * laneCount)
        assert.isAbove(counts.waits, counts.schedules, "schedules that wait for nobody prove little")
        if (counts.schedules >= 400) assert.isAbove(counts.deadlocks, 0)
      },
      60_000 + schedulesInAll * 200
    )
  }
})
