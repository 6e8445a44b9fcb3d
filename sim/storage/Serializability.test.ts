/**
 * Serializable transactions, against the only oracle that matters: some order in which they run one after the other gives every
 * one of them the replies it had, and leaves the tables as they are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { add, eq, ge } from "../../core/ports/Condition.ts"
import type { Isolation } from "../../core/ports/Storage.ts"
import { Dialogue, type Reply, type Speaker, accounts } from "./Dialogue.ts"
import type { ReadTracking } from "./Serializability.ts"

type Step =
  | { readonly does: "read"; readonly id: number }
  | { readonly does: "find"; readonly value: number }
  | { readonly does: "sum" }
  | { readonly does: "add"; readonly id: number }
  | { readonly does: "add where"; readonly value: number }
  | { readonly does: "insert"; readonly id: number; readonly value: number }
  | { readonly does: "delete"; readonly id: number }
  | { readonly does: "lock"; readonly id: number }

const id = fc.integer({ min: 1, max: 4 })
const value = fc.integer({ min: 0, max: 3 })
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ does: fc.constant("read" as const), id }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("find" as const), value }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("sum" as const) }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("add" as const), id }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("add where" as const), value }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("insert" as const), id, value }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("delete" as const), id }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("lock" as const), id }) }
)

/** Each transaction belongs to one of the sessions, which take turns as the schedule says; 0 lets it commit. */
const scheduleOf = fc.array(
  fc.record({
    session: fc.nat({ max: 3 }),
    step: fc.option(stepOf, { freq: 4, nil: "commit" as const })
  }),
  { minLength: 4, maxLength: 24 }
)
type Schedule = ReadonlyArray<{ readonly session: number; readonly step: Step | "commit" }>

interface Attempt {
  readonly did: Array<{ readonly step: Step; readonly reply: Reply }>
  outcome: "Committed" | "RolledBack" | "Refused" | undefined
}

const start = (readTracking: ReadTracking = "keys") =>
  new Dialogue({ tables: [accounts], deadlockDetection: "immediate", readTracking }).given((t) =>
    t.insert(
      accounts,
      [1, 2].map((of) => ({ id: of, name: `account ${of}`, value: of }))
    )
  )

const perform = (speaker: Speaker, step: Step): Reply => {
  switch (step.does) {
    case "read":
      return speaker.say((t) => t.get(accounts, { id: step.id }))
    case "find":
      return speaker.say((t) => t.select(accounts, { where: (row) => ge(row.value, step.value) }))
    case "sum":
      return speaker.say((t) => t.count(accounts))
    case "add":
      return speaker.say((t) =>
        t.update(accounts, { where: (row) => eq(row.id, step.id), set: (row) => ({ value: add(row.value, 1) }) })
      )
    case "add where":
      return speaker.say((t) =>
        t.update(accounts, { where: (row) => eq(row.value, step.value), set: (row) => ({ value: add(row.value, 1) }) })
      )
    case "insert":
      return speaker.say((t) => t.insert(accounts, { id: step.id, name: `account ${step.id}`, value: step.value }))
    case "delete":
      return speaker.say((t) => t.delete(accounts, { where: (row) => eq(row.id, step.id) }))
    case "lock":
      return speaker.say((t) => t.get(accounts, { id: step.id }, { lock: "for share" }))
  }
}

const told = ({ text }: Reply): string => text.split(" ").toSorted().join(" ")
const rowsOf = (dialogue: Dialogue): string =>
  dialogue.engine
    .committed("accounts")
    .map((row) => `${row["id"]}:${row["value"]}`)
    .toSorted()
    .join(" ")

const play = (schedule: Schedule, isolation: Isolation, readTracking?: ReadTracking) => {
  const dialogue = start(readTracking)
  const speakers = Array.from({ length: 4 }, () => dialogue.speaker())
  const open: Array<Attempt | undefined> = speakers.map(() => undefined)
  const attempts: Array<Attempt> = []
  const commit = (session: number) => {
    const attempt = open[session]
    if (attempt !== undefined) attempt.outcome = speakers[session]!.commit()
    open[session] = undefined
  }
  for (const { session, step } of schedule) {
    const speaker = speakers[session]!
    if (speaker.session.state === "waiting") continue
    if (step === "commit") {
      commit(session)
      continue
    }
    let attempt = open[session]
    if (attempt === undefined) {
      attempt = { did: [], outcome: undefined }
      open[session] = attempt
      attempts.push(attempt)
      speaker.begin(isolation)
    }
    attempt.did.push({ step, reply: perform(speaker, step) })
  }
  for (let round = 0; round < speakers.length; round++) {
    for (const [session, speaker] of speakers.entries()) if (speaker.session.state !== "waiting") commit(session)
  }
  return { attempts, rows: rowsOf(dialogue) }
}

/** The transactions one after the other. */
const replay = (attempts: ReadonlyArray<Attempt>): string => {
  const dialogue = start()
  const speaker = dialogue.speaker()
  const replies: Array<string> = []
  for (const { did } of attempts) {
    speaker.begin("read committed")
    for (const { step } of did) replies.push(told(perform(speaker, step)))
    speaker.commit()
  }
  return [...replies, rowsOf(dialogue)].join("; ")
}

const orders = <A>(of: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  of.length === 0 ? [[]] : of.flatMap((first, at) => orders(of.toSpliced(at, 1)).map((rest) => [first, ...rest]))

const isSerializable = (schedule: Schedule, isolation: Isolation, readTracking?: ReadTracking): boolean => {
  const { attempts, rows } = play(schedule, isolation, readTracking)
  const committed = attempts.filter(({ outcome }) => outcome === "Committed")
  // More would take too many orders.
  if (committed.length > 5) return true
  return orders(committed).some((order) => {
    const seen = order.flatMap(({ did }) => did.map(({ reply }) => told(reply)))
    return replay(order) === [...seen, rows].join("; ")
  })
}

describe("serializable", () => {
  for (const tracking of ["keys", "tables"] as const) {
    it(`what committed has an order in which it could have run alone (reads remembered as ${tracking})`, () => {
      fc.assert(
        fc.property(scheduleOf, (schedule) => isSerializable(schedule, "serializable", tracking)),
        { numRuns: 2_000 }
      )
    })
  }

  it("the oracle finds schedules of repeatable read that have none", () => {
    const result = fc.check(
      fc.property(scheduleOf, (schedule) => isSerializable(schedule, "repeatable read")),
      { numRuns: 5_000, seed: 1 }
    )
    assert.isTrue(result.failed)
  })
})
