/**
 * Random schedules of concurrent transactions, checked against oracles that know nothing of versions or locks:
 * what is committed is what `onCommit` told, a read shows exactly its snapshot, and sums add up.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { add, and, eq, ge, or, subtract } from "../../core/ports/Condition.ts"
import type { Isolation, RowLock } from "../../core/ports/Storage.ts"
import type { Commit } from "./Engine.ts"
import { Dialogue, Reply, type Speaker, accounts } from "./Dialogue.ts"
import type { StoredRow } from "./Evaluate.ts"

type Step =
  | { readonly does: "read" }
  | { readonly does: "lock"; readonly id: number; readonly lock: RowLock; readonly skipLocked: boolean }
  | { readonly does: "add"; readonly id: number; readonly amount: number }
  | { readonly does: "spend"; readonly id: number; readonly amount: number }
  | {
      readonly does: "insert"
      readonly id: number
      readonly name: string
      readonly onConflict: "fail" | "nothing" | "update"
    }
  | { readonly does: "rename"; readonly id: number; readonly name: string }
  | { readonly does: "move"; readonly id: number; readonly to: number }
  | { readonly does: "delete"; readonly id: number }
  | { readonly does: "commit" }
  | { readonly does: "rollback" }
  | { readonly does: "crash" }

const idOf = fc.integer({ min: 1, max: 4 })
const nameOf = fc.constantFrom("a", "b", "c")
const amountOf = fc.integer({ min: 1, max: 5 })
const lockOf = fc.constantFrom<RowLock>("for update", "for no key update", "for share", "for key share")

const arithmetic: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ does: fc.constant("read" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant("lock" as const), id: idOf, lock: lockOf, skipLocked: fc.boolean() })
  },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("add" as const), id: idOf, amount: amountOf }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("spend" as const), id: idOf, amount: amountOf }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("commit" as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("rollback" as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("crash" as const) }) }
)

const anything: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: arithmetic },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("insert" as const),
      id: idOf,
      name: nameOf,
      onConflict: fc.constantFrom("fail", "nothing", "update")
    })
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("rename" as const), id: idOf, name: nameOf }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("move" as const), id: idOf, to: idOf }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("delete" as const), id: idOf }) }
)

const isolationOf = fc.constantFrom<Isolation>("read committed", "repeatable read")
const sessionCount = 4
const scheduleOf = (step: fc.Arbitrary<Step>, isolation: fc.Arbitrary<Isolation> = isolationOf) =>
  fc.array(fc.record({ session: fc.nat({ max: sessionCount - 1 }), step, isolation }), { minLength: 1, maxLength: 60 })

type Schedule = ReadonlyArray<{ readonly session: number; readonly step: Step; readonly isolation: Isolation }>
type State = ReadonlyMap<string, StoredRow>

/** What one transaction did, for the oracles: every step with its reply. */
interface Attempt {
  readonly isolation: Isolation
  readonly did: Array<{ readonly step: Step; readonly reply: Reply; readonly committedBefore: State }>
}

interface Played {
  readonly dialogue: Dialogue
  /** In order of commit; read-only ones included. */
  readonly committed: ReadonlyArray<Attempt>
  readonly attempts: ReadonlyArray<Attempt>
  readonly state: State
}

/** Plays a schedule; a step for a session that still waits is left out. Ends by committing everyone, first come first. */
const play = (schedule: Schedule): Played => {
  const committed: Array<Attempt> = []
  const attempts: Array<Attempt> = []
  let state: State = new Map()
  const dialogue = new Dialogue({
    tables: [accounts],
    deadlockDetection: "immediate",
    onCommit: (commit) => {
      state = apply(state, commit)
    }
  }).given((t) =>
    t.insert(
      accounts,
      [1, 2].map((id) => ({ id, name: `initial ${id}`, value: 10 }))
    )
  )
  const speakers: Array<Speaker> = Array.from({ length: sessionCount }, () => dialogue.speaker())
  const open: Array<Attempt | undefined> = speakers.map(() => undefined)

  const end = (position: number, how: "commit" | "rollback") => {
    const attempt = open[position]
    open[position] = undefined
    if (how === "rollback") speakers[position]!.rollback()
    else if (speakers[position]!.commit() === "Committed") committed.push(attempt!)
  }

  for (const { session: position, step, isolation } of schedule) {
    const speaker = speakers[position]!
    if (step.does === "crash") {
      speaker.session.terminate()
      speakers[position] = dialogue.speaker()
      open[position] = undefined
      continue
    }
    if (speaker.session.state === "waiting") continue
    if (speaker.session.state === "idle") {
      speaker.begin(isolation)
      const attempt: Attempt = { isolation, did: [] }
      open[position] = attempt
      attempts.push(attempt)
    }
    if (step.does === "commit" || step.does === "rollback") end(position, step.does)
    else {
      const committedBefore = state
      open[position]!.did.push({ step, reply: perform(speaker, step), committedBefore })
    }
  }
  for (let round = 0; round < sessionCount; round++) {
    for (const [position, speaker] of speakers.entries()) {
      if (speaker.session.state === "in transaction" || speaker.session.state === "doomed") end(position, "commit")
    }
  }
  for (const { session } of speakers) assert.notStrictEqual(session.state, "waiting", "nobody waits for nobody")
  return { dialogue, committed, attempts, state }
}

const perform = (speaker: Speaker, step: Step): Reply => {
  switch (step.does) {
    case "read":
      return speaker.say((t) => t.select(accounts))
    case "lock":
      return speaker.say((t) =>
        t.select(accounts, { where: (row) => eq(row.id, step.id), lock: step.lock, skipLocked: step.skipLocked })
      )
    case "add":
      return speaker.say((t) =>
        t.update(accounts, {
          where: (row) => eq(row.id, step.id),
          set: (row) => ({ value: add(row.value, step.amount) })
        })
      )
    case "spend":
      return speaker.say((t) =>
        t.update(accounts, {
          where: (row) => and(eq(row.id, step.id), ge(row.value, step.amount)),
          set: (row) => ({ value: subtract(row.value, step.amount) })
        })
      )
    case "insert":
      return speaker.say((t) =>
        t.insert(
          accounts,
          { id: step.id, name: step.name, value: 10 },
          step.onConflict === "fail"
            ? undefined
            : step.onConflict === "nothing"
              ? { onConflict: { target: ["id"], action: "nothing" } }
              : { onConflict: { target: ["id"], action: "update", set: () => ({ name: step.name }) } }
        )
      )
    case "rename":
      return speaker.say((t) =>
        t.update(accounts, { where: (row) => eq(row.id, step.id), set: () => ({ name: step.name }) })
      )
    case "move":
      return speaker.say((t) =>
        t.update(accounts, { where: (row) => eq(row.id, step.id), set: () => ({ id: step.to }) })
      )
    case "delete":
      return speaker.say((t) => t.delete(accounts, { where: (row) => eq(row.id, step.id) }))
    default:
      throw new Error(`${step.does} is no statement`)
  }
}

describe("random schedules", () => {
  it("no committed change is lost and none is invented: the sums of the committed transactions are the values", () => {
    fc.assert(
      fc.property(scheduleOf(arithmetic), (schedule) => {
        const { dialogue, committed } = play(schedule)
        const expected = new Map([
          [1, 10],
          [2, 10]
        ])
        for (const { did } of committed) {
          for (const { step, reply } of did) {
            if ((step.does !== "add" && step.does !== "spend") || reply.text === "-") continue
            assert.strictEqual(reply.outcome?._tag, "Answered")
            const change = step.does === "add" ? step.amount : -step.amount
            expected.set(step.id, expected.get(step.id)! + change)
          }
        }
        const actual = dialogue.engine.committed("accounts").map((row) => [row["id"], row["value"]])
        assert.deepStrictEqual(actual, [...expected])
      }),
      { numRuns: 500 }
    )
  })

  it("the commits, folded, are the tables; keys are unique at every moment", () => {
    fc.assert(
      fc.property(scheduleOf(anything), (schedule) => {
        const { dialogue, state } = play(schedule)
        const rows = dialogue.engine.committed("accounts")
        assert.sameDeepMembers([...rows], [...state.values()])
        for (const column of ["id", "name"]) {
          assert.strictEqual(new Set(rows.map((row) => row[column])).size, rows.length, column)
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("a read shows exactly its snapshot and the reader's own writes: nothing dirty, nothing aborted, nothing torn", () => {
    fc.assert(
      fc.property(scheduleOf(anything), (schedule) => {
        for (const { isolation, did } of play(schedule).attempts) {
          const [first] = did
          const hasWritten = (until: number) =>
            did.slice(0, until).some(({ step }) => step.does !== "read" && step.does !== "lock")
          for (const [position, { step, reply, committedBefore }] of did.entries()) {
            const { outcome } = reply
            if (step.does !== "read" || outcome?._tag !== "Answered" || hasWritten(position)) continue
            const snapshot = isolation === "read committed" ? committedBefore : first!.committedBefore
            assert.sameDeepMembers([...outcome.answer.rows], [...snapshot.values()])
          }
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("looking up by key finds what reading everything finds, whatever happened before", () => {
    fc.assert(
      fc.property(scheduleOf(anything), (schedule) => {
        const speaker = play(schedule).dialogue.speaker().begin("read committed")
        for (const id of [1, 2, 3, 4]) {
          const byIndex = speaker.say((t) => t.get(accounts, { id })).text
          const byScan = speaker.say((t) => t.select(accounts, { where: (row) => or(eq(row.id, id)) })).text
          assert.strictEqual(byIndex, byScan)
        }
        for (const name of ["a", "b", "c", "initial 1"]) {
          const byIndex = speaker.say((t) => t.select(accounts, { where: (row) => eq(row.name, name) })).text
          const byScan = speaker.say((t) => t.select(accounts, { where: (row) => or(eq(row.name, name)) })).text
          assert.strictEqual(byIndex, byScan)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("the same schedule gives the same answers", () => {
    const told = (schedule: Schedule) =>
      play(schedule).attempts.flatMap(({ did }) => did.map(({ reply }) => reply.text))
    fc.assert(fc.property(scheduleOf(anything), (schedule) => assert.deepStrictEqual(told(schedule), told(schedule))))
  })

  it("repeatable read: read, compute outside, write back loses nothing on a single row", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: sessionCount - 1 }), { minLength: 4, maxLength: 60 }), (turns) => {
        const dialogue = new Dialogue({ tables: [accounts], deadlockDetection: "immediate" }).given((t) =>
          t.insert(accounts, { id: 1, name: "one", value: 0 })
        )
        const workers = Array.from({ length: sessionCount }, () => ({
          speaker: dialogue.speaker(),
          read: undefined as number | undefined,
          written: new Reply()
        }))
        let succeeded = 0
        for (const turn of turns) {
          const worker = workers[turn]!
          const { speaker } = worker
          if (speaker.session.state === "waiting") continue
          if (speaker.session.state === "idle") {
            const { outcome } = speaker.begin("repeatable read").say((t) => t.get(accounts, { id: 1 }))
            worker.read = outcome?._tag === "Answered" ? (outcome.answer.rows[0]!["value"] as number) : undefined
            worker.written = new Reply()
          } else if (worker.written.outcome === undefined && speaker.session.state === "in transaction") {
            const value = worker.read! + 1
            worker.written = speaker.say((t) =>
              t.update(accounts, { where: (row) => eq(row.id, 1), set: () => ({ value }) })
            )
          } else if (speaker.commit() === "Committed") succeeded++
        }
        assert.strictEqual(dialogue.engine.committed("accounts")[0]!["value"], succeeded)
      }),
      { numRuns: 500 }
    )
  })

  it("skip locked: no job is taken twice while anyone holds it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: sessionCount - 1 }), { maxLength: 40 }), (turns) => {
        const dialogue = new Dialogue({ tables: [accounts] }).given((t) =>
          t.insert(
            accounts,
            Array.from({ length: 6 }, (_, id) => ({ id, name: `job ${id}`, value: 1 }))
          )
        )
        const speakers = Array.from({ length: sessionCount }, () => dialogue.speaker())
        const taken = new Map<Speaker, string>()
        for (const turn of turns) {
          const speaker = speakers[turn]!
          if (speaker.session.state === "idle") {
            const job = speaker.begin("read committed").say((t) =>
              t.select(accounts, {
                where: (row) => ge(row.value, 1),
                limit: 1,
                lock: "for update",
                skipLocked: true
              })
            ).text
            assert.isFalse(job !== "-" && [...taken.values()].includes(job), `${job} was taken twice`)
            taken.set(speaker, job)
            if (job !== "-")
              speaker.say((t) =>
                t.update(accounts, { where: (row) => eq(row.id, Number(job[0])), set: () => ({ value: 0 }) })
              )
          } else {
            assert.strictEqual(speaker.commit(), "Committed")
            taken.delete(speaker)
          }
        }
      }),
      { numRuns: 300 }
    )
  })
})

function apply(state: State, { changes }: Commit): State {
  const next = new Map(state)
  const keyOf = (row: StoredRow | null) => (row === null ? "" : String(row["id"]))
  for (const { before } of changes) next.delete(keyOf(before))
  for (const { after } of changes) if (after !== null) next.set(keyOf(after), after)
  return next
}
