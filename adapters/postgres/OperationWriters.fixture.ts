/**
 * Sixteen writers who each do one operation after the other until it is known to be done, whatever the server does:
 * fenced by one lease, idempotent by the operation's id, which is written in the transaction of its effect.
 *
 * Nothing is looked up after an unknown outcome. The operation is done again: the id is taken if it was done, and whoever
 * inserts it waits for one that is still committing.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { add, eq } from "../../core/ports/Condition.ts"
import { type Fence, Storage, type StorageError, leases } from "../../core/ports/Storage.ts"
import { type Table, integer, make, text } from "../../core/ports/Table.ts"

const operations = make("operations", { columns: { id: text, account: integer }, primaryKey: ["id"] })
const accounts = make("accounts", { columns: { id: integer, value: integer }, primaryKey: ["id"] })

export const tables: ReadonlyArray<Table<unknown>> = [operations, accounts, leases]

const accountsCount = 8
const writersCount = 16

/** What the storage answered to one attempt. */
type Told = "done" | StorageError["reason"]["_tag"]

interface Operation {
  readonly id: string
  readonly account: number
  /** By the time it was known to be done. */
  readonly told: Array<Told>
}

/** What was told of every operation; the last word of each but one per writer is that it is done. */
export interface Ledger {
  readonly operations: Array<Operation>
  /** How many are known to be done. */
  known: number
}

export const prepare = Effect.flatMap(Storage, ({ once }) =>
  once(
    (t) =>
      t.insert(
        accounts,
        Array.from({ length: accountsCount }, (_, id) => ({ id, value: 0 }))
      ),
    { label: "prepare" }
  )
)

/** Writes until told to stop, and then until every operation that was begun is known to be done. */
export const write = (ledger: Ledger, until: { isOver: boolean }, fence: () => Fence) =>
  Effect.forEach(
    Array.from({ length: writersCount }, (_, writer) => writer),
    (writer) =>
      Effect.gen(function* () {
        for (let nth = 0; !until.isOver; nth++) {
          const operation: Operation = { id: `${writer}/${nth}`, account: (writer * 7 + nth) % accountsCount, told: [] }
          ledger.operations.push(operation)
          while (!(yield* attempt(operation, fence()))) yield* Effect.sleep("20 millis")
          ledger.known++
        }
      }),
    { concurrency: "unbounded", discard: true }
  )

/** Compares what was told with what is in the tables: nothing acknowledged is lost, and nothing was done twice. */
export const compare = (ledger: Ledger) =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const rows = yield* once((t) => t.select(operations), { label: "compare" })
    assert.deepStrictEqual(
      rows.map(({ id }) => id).toSorted(),
      ledger.operations.map(({ id }) => id).toSorted(),
      "every operation is there, once"
    )
    const balances = yield* once((t) => t.select(accounts, { orderBy: ["id"] }), { label: "compare" })
    assert.deepStrictEqual(
      balances.map(({ value }) => value),
      balances.map(({ id }) => ledger.operations.filter(({ account }) => account === id).length),
      "and its effect is there once"
    )
    for (const { id, told } of ledger.operations) {
      // Told that it is there, nobody having been told that it may be: it was done behind somebody's back.
      const isTaken = told.at(-1) === "UniqueViolation"
      if (isTaken) assert.include(told, "UnknownOutcome", `operation ${id}: ${told.join(", ")}`)
    }
  })

/** How often each thing was told. */
export const tally = (ledger: Ledger): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { told } of ledger.operations) for (const it of told) counts[it] = (counts[it] ?? 0) + 1
  return counts
}

/** Whether the operation is now known to be done. */
const attempt = ({ account, id, told }: Operation, fence: Fence) =>
  Effect.gen(function* () {
    const { transaction } = yield* Storage
    const outcome = yield* Effect.exit(
      transaction(
        (t) =>
          Effect.andThen(
            t.insert(operations, { id, account }),
            t.update(accounts, { where: (row) => eq(row.id, account), set: (row) => ({ value: add(row.value, 1) }) })
          ),
        { label: "operation", fences: [fence] }
      )
    )
    if (Exit.isSuccess(outcome)) {
      told.push("done")
      return true
    }
    const { reason } = yield* Effect.flip(outcome)
    told.push(reason._tag)
    return reason._tag === "UniqueViolation"
  })
