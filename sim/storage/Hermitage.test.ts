/**
 * The anomalies of Adya, as Martin Kleppmann's Hermitage lists them for Postgres (github.com/ept/hermitage, postgres.md), at every
 * isolation level: one table of cases, played step by step by the model and by real Postgres.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { database, skipped } from "../../adapters/postgres/Database.fixture.ts"
import { add, always, eq, gt, isIn } from "../../core/ports/Condition.ts"
import type { Isolation } from "../../core/ports/Storage.ts"
import { accounts, statementOf } from "./Dialogue.ts"
import { ModelRun, type Move, type Observed, type Player } from "./Lockstep.fixture.ts"
import { RealServer, createTables } from "./RealServer.fixture.ts"

/** What is shown at read committed, repeatable read and serializable. */
type Shown = string | readonly [readCommitted: string, repeatableRead: string, serializable: string]
/** Who does what, and what that shows: the reply or the wait, then those set free by it. */
type Line = readonly [session: 1 | 2 | 3, move: Move, shown: Shown]

interface Case {
  readonly name: string
  readonly lines: ReadonlyArray<Line>
}

const say = (call: Parameters<typeof statementOf>[0]): Move => ({ does: "execute", statement: statementOf(call) })

const all = say((t) => t.select(accounts))
const read = (id: number) => say((t) => t.get(accounts, { id }))
const byValue = (...values: ReadonlyArray<number>) =>
  say((t) => t.select(accounts, { where: (row) => isIn(row.value, values) }))
const set = (id: number, value: number) =>
  say((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ value }) }))
const insert = (id: number, value: number) => say((t) => t.insert(accounts, { id, name: `account ${id}`, value }))
const remove = (value: number) => say((t) => t.delete(accounts, { where: (row) => eq(row.value, value) }))
const commit: Move = { does: "commit" }
const rollback: Move = { does: "rollback" }

const refused = "SerializationFailure"
/** Of a waiting statement that meets a change: it goes on at read committed only. */
const goesOn = (shown: string, reply: string): Shown => [
  `${shown}; T2: ${reply}`,
  `${shown}; T2: ${refused}`,
  `${shown}; T2: ${refused}`
]
const unlessRefused = (reply: string, otherwise = "Aborted"): Shown => [reply, otherwise, otherwise]

const cases: ReadonlyArray<Case> = [
  {
    name: "G0: dirty writes wait, and never interleave",
    lines: [
      [1, set(1, 11), "1:11"],
      [2, set(1, 12), "waits for T1"],
      [1, set(2, 21), "2:21"],
      [1, commit, goesOn("Committed", "1:12")],
      [2, set(2, 22), unlessRefused("2:22")],
      [2, commit, unlessRefused("Committed", "RolledBack")],
      [3, all, unlessRefused("1:12 2:22", "1:11 2:21")]
    ]
  },
  {
    name: "G1a: aborted reads are not seen",
    lines: [
      [1, set(1, 101), "1:101"],
      [2, all, "1:10 2:20"],
      [1, rollback, "RolledBack"],
      [2, all, "1:10 2:20"],
      [2, commit, "Committed"]
    ]
  },
  {
    name: "G1b: intermediate values are not seen",
    lines: [
      [1, set(1, 101), "1:101"],
      [2, all, "1:10 2:20"],
      [1, set(1, 11), "1:11"],
      [1, commit, "Committed"],
      [2, all, unlessRefused("1:11 2:20", "1:10 2:20")],
      [2, commit, "Committed"]
    ]
  },
  {
    name: "G1c: information does not flow in a circle",
    lines: [
      [1, set(1, 11), "1:11"],
      [2, set(2, 22), "2:22"],
      [1, read(2), "2:20"],
      [2, read(1), "1:10"],
      [1, commit, "Committed"],
      [2, commit, ["Committed", "Committed", "Refused"]]
    ]
  },
  {
    name: "OTV: an observed transaction does not vanish",
    lines: [
      [1, set(1, 11), "1:11"],
      [1, set(2, 19), "2:19"],
      [2, set(1, 12), "waits for T1"],
      [1, commit, goesOn("Committed", "1:12")],
      [3, read(1), "1:11"],
      [2, set(2, 18), unlessRefused("2:18")],
      [3, read(2), "2:19"],
      [2, commit, unlessRefused("Committed", "RolledBack")],
      [3, read(2), unlessRefused("2:18", "2:19")],
      [3, read(1), unlessRefused("1:12", "1:11")],
      [3, commit, "Committed"]
    ]
  },
  {
    name: "PMP: a predicate read again finds the new row only at read committed",
    lines: [
      [1, byValue(30), "-"],
      [2, insert(3, 30), "3:30"],
      [2, commit, "Committed"],
      [1, byValue(30, 60), unlessRefused("3:30", "-")],
      [1, commit, "Committed"]
    ]
  },
  {
    name: "PMP for write predicates: the delete, tested again, misses the row that came to match",
    lines: [
      [
        1,
        say((t) => t.update(accounts, { where: () => always, set: (row) => ({ value: add(row.value, 10) }) })),
        "1:20 2:30"
      ],
      [2, remove(20), "waits for T1"],
      [1, commit, goesOn("Committed", "-")],
      [2, byValue(20), unlessRefused("1:20")],
      [2, commit, unlessRefused("Committed", "RolledBack")]
    ]
  },
  {
    name: "P4: an update is lost at read committed, and refused above",
    lines: [
      [1, read(1), "1:10"],
      [2, read(1), "1:10"],
      [1, set(1, 11), "1:11"],
      [2, set(1, 12), "waits for T1"],
      [1, commit, goesOn("Committed", "1:12")],
      [2, commit, unlessRefused("Committed", "RolledBack")]
    ]
  },
  {
    name: "G-single: read skew only at read committed",
    lines: [
      [1, read(1), "1:10"],
      [2, all, "1:10 2:20"],
      [2, set(1, 12), "1:12"],
      [2, set(2, 18), "2:18"],
      [2, commit, "Committed"],
      [1, read(2), unlessRefused("2:18", "2:20")],
      [1, commit, "Committed"]
    ]
  },
  {
    name: "G-single with predicates: the second predicate read is skewed only at read committed",
    lines: [
      [1, say((t) => t.select(accounts, { where: (row) => gt(row.value, 5) })), "1:10 2:20"],
      [2, say((t) => t.update(accounts, { where: (row) => eq(row.value, 10), set: () => ({ value: 12 }) })), "1:12"],
      [2, commit, "Committed"],
      [1, byValue(12), unlessRefused("1:12", "-")],
      [1, commit, "Committed"]
    ]
  },
  {
    name: "G-single with a write predicate: the delete meets a row that has changed",
    lines: [
      [1, read(1), "1:10"],
      [2, all, "1:10 2:20"],
      [2, set(1, 12), "1:12"],
      [2, set(2, 18), "2:18"],
      [2, commit, "Committed"],
      [1, remove(20), unlessRefused("-", refused)],
      [1, commit, unlessRefused("Committed", "RolledBack")]
    ]
  },
  {
    name: "G-single with a write predicate: the delete waits for a row that changes",
    lines: [
      [2, read(1), "1:10"],
      [1, all, "1:10 2:20"],
      [1, set(1, 12), "1:12"],
      [1, set(2, 18), "2:18"],
      [2, remove(20), "waits for T1"],
      [1, commit, goesOn("Committed", "-")],
      [2, commit, unlessRefused("Committed", "RolledBack")]
    ]
  },
  {
    name: "G2-item: write skew is refused only at serializable",
    lines: [
      [1, say((t) => t.select(accounts, { where: (row) => isIn(row.id, [1, 2]) })), "1:10 2:20"],
      [2, say((t) => t.select(accounts, { where: (row) => isIn(row.id, [1, 2]) })), "1:10 2:20"],
      [1, set(1, 11), "1:11"],
      [2, set(2, 21), "2:21"],
      [1, commit, "Committed"],
      [2, commit, ["Committed", "Committed", "Refused"]]
    ]
  },
  {
    name: "G2: predicates that each other's inserts would meet are refused only at serializable",
    lines: [
      [1, byValue(30, 60), "-"],
      [2, byValue(30, 60), "-"],
      [1, insert(3, 30), "3:30"],
      [2, insert(4, 60), "4:60"],
      [1, commit, "Committed"],
      [2, commit, ["Committed", "Committed", "Refused"]]
    ]
  },
  {
    name: "G2 with two anti-dependencies: a reader saw a state that the late writer makes impossible",
    lines: [
      [1, all, "1:10 2:20"],
      [
        2,
        say((t) => t.update(accounts, { where: (row) => eq(row.id, 2), set: (row) => ({ value: add(row.value, 5) }) })),
        "2:25"
      ],
      [2, commit, "Committed"],
      [3, all, "1:10 2:25"],
      [3, commit, "Committed"],
      [1, set(1, 0), ["1:0", "1:0", refused]],
      [1, commit, ["Committed", "Committed", "RolledBack"]]
    ]
  }
]

const levels: ReadonlyArray<Isolation> = ["read committed", "repeatable read", "serializable"]
const given = [
  statementOf((t) =>
    t.insert(accounts, [
      { id: 1, name: "one", value: 10 },
      { id: 2, name: "two", value: 20 }
    ])
  )
]

/** `2: {"id":1,…} {…}` as `1:10 2:20`. */
const short = (reply: string): string => {
  const [count, ...rows] = reply.split(/ (?=\{)/)
  if (!/^\d+: ?$/.test(count!)) return reply
  if (rows.length === 0) return "-"
  return rows
    .map((row) => JSON.parse(row) as { readonly id: number; readonly value: number })
    .map(({ id, value }) => `${id}:${value}`)
    .join(" ")
}

const shownBy = ({ replies, waits }: Observed, session: number): string => {
  const own = replies.get(session)
  const whom = [...(waits.get(session) ?? [])].map((other) => `T${other + 1}`).join(", ")
  const others = [...replies].filter(([other]) => other !== session)
  return [
    own === undefined ? `waits for ${whom}` : short(own),
    ...others.map(([other, reply]) => `T${other + 1}: ${short(reply)}`)
  ].join("; ")
}

/** What a player shows, and what it should. */
const play = async ({ lines }: Case, isolation: Isolation, player: Player) => {
  const at = levels.indexOf(isolation)
  const told: Array<string> = []
  for (const [session, move] of lines) {
    const observed = await player.play({ session: session - 1, isolation, move })
    told.push(`T${session}: ${shownBy(observed, session - 1)}`)
  }
  const expected = lines.map(
    ([session, , shown]) => `T${session}: ${typeof shown === "string" ? shown : shown[at as 0 | 1 | 2]}`
  )
  return { told, expected }
}

for (const isolation of levels) {
  describe(`hermitage on the model (${isolation})`, () => {
    for (const of of cases) {
      it(of.name, async () => {
        for (const readTracking of ["keys", "tables"] as const) {
          const model = new ModelRun({ tables: [accounts], sessions: 3, readTracking, given })
          const { expected, told } = await play(of, isolation, model)
          assert.deepStrictEqual(told, expected)
        }
      })
    }
  })
}

describe.skipIf(skipped())("hermitage on Postgres", () => {
  it.live("shows the same, step by step, at every level", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* database
        const tables = [accounts]
        yield* Effect.promise(async () => {
          await createTables(connection, { tables, given })
          const server = await RealServer.open(connection, { tables, sessions: 3, settings: [] })
          for (const isolation of levels) {
            for (const of of cases) {
              await server.reset()
              const { expected, told } = await play(of, isolation, server)
              assert.deepStrictEqual(told, expected, `${of.name} (${isolation})`)
            }
          }
          await server.close()
        })
      })
    )
  )
})
