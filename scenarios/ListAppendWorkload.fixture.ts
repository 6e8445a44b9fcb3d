/**
 * List-append transactions over the storage port, for tests of its implementations: sessions run side by side, and what
 * each of their transactions saw becomes a history for the isolation checker.
 *
 * A list is a number whose digits, to the base of 16, are its elements: the port can append to it in one update, and no
 * list gets more elements than 2^53 has digits.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { add, eq, multiply } from "../core/ports/Condition.ts"
import { type Isolation, Storage, type Transaction } from "../core/ports/Storage.ts"
import { integer, make, text } from "../core/ports/Table.ts"
import { type ListOperation, type ListTransaction, append, read } from "../core/history/ListAppend.ts"

export const lists = make("lists", { columns: { key: text, digits: integer }, primaryKey: ["key"] })

const base = 16
const elementsMax = 13

interface Step {
  readonly key: string
  /** What is appended; `undefined` reads. */
  readonly element: number | undefined
}

/** The transactions of each session, in order, and the lists that they use. */
export interface Workload {
  readonly sessions: ReadonlyArray<ReadonlyArray<{ readonly name: string; readonly steps: ReadonlyArray<Step> }>>
  readonly keys: ReadonlyArray<string>
}

/** Few lists at a time, so that sessions meet; a list that is full is replaced by a new one. */
export const workloads = (options: {
  readonly sessions: number
  readonly transactions: number
}): fc.Arbitrary<Workload> => {
  const step = fc.record({ slot: fc.nat({ max: 2 }), appends: fc.boolean() })
  const transaction = fc.array(step, { minLength: 1, maxLength: 4 })
  const all = fc.array(transaction, { minLength: options.transactions, maxLength: options.transactions })
  return all.map((drawn) => {
    const elements = new Map<string, number>()
    const generations = [0, 0, 0]
    const sessions = Array.from({ length: options.sessions }, (): Array<Workload["sessions"][number][number]> => [])
    for (const [at, transaction] of drawn.entries()) {
      const steps = transaction.map(({ appends, slot }): Step => {
        const nameOf = () => `${"xyz"[slot]}${generations[slot]}`
        if (appends && elements.get(nameOf()) === elementsMax) generations[slot]!++
        const key = nameOf()
        const element = (elements.get(key) ?? 0) + (appends ? 1 : 0)
        elements.set(key, element)
        return { key, element: appends ? element : undefined }
      })
      sessions[at % options.sessions]!.push({ name: `T${at + 1}`, steps })
    }
    return { sessions, keys: Array.from(elements.keys()) }
  })
}

/** The lists, empty. */
export const prepare = ({ keys }: Workload) =>
  Effect.flatMap(Storage, ({ once }) =>
    once(
      (t) =>
        t.insert(
          lists,
          keys.map((key) => ({ key, digits: 0 }))
        ),
      { label: "prepare" }
    )
  )

/** One session's transactions, one after the other; each is told as soon as it has ended, however it did. */
export const runSession = (
  session: Workload["sessions"][number],
  isolation: Isolation,
  tell: (transaction: ListTransaction) => void
) =>
  Effect.flatMap(Storage, ({ transaction }) =>
    Effect.forEach(
      session,
      ({ name, steps }) => {
        const operations: Array<ListOperation> = []
        const body = (t: Transaction) =>
          Effect.forEach(steps, (step) => perform(t, step, operations), { discard: true })
        return Effect.match(transaction(body, { label: name, isolation }), {
          onSuccess: () => tell({ name, operations, outcome: "committed" }),
          onFailure: ({ reason }) =>
            tell({ name, operations, outcome: reason._tag === "UnknownOutcome" ? "unknown" : "aborted" })
        })
      },
      { discard: true }
    )
  )

/** Every list as it is now, as a transaction that ends the history. */
export const readAll = Effect.flatMap(Storage, ({ once }) =>
  Effect.map(
    once((t) => t.select(lists), { label: "readAll" }),
    (rows): ListTransaction => ({
      name: "last",
      operations: rows.map(({ digits, key }) => read(key, elementsOf(digits))),
      outcome: "committed"
    })
  )
)

function perform(t: Transaction, { element, key }: Step, operations: Array<ListOperation>) {
  if (element === undefined) {
    return Effect.map(t.get(lists, { key }), (row) => {
      operations.push(read(key, elementsOf(row!.digits)))
    })
  }
  operations.push(append(key, element))
  return t.update(lists, {
    where: (row) => eq(row.key, key),
    set: (row) => ({ digits: add(multiply(row.digits, base), element) })
  })
}

function elementsOf(digits: number): ReadonlyArray<number> {
  const elements: Array<number> = []
  for (let rest = digits; rest > 0; rest = Math.floor(rest / base)) elements.unshift(rest % base)
  return elements
}
