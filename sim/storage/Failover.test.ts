/**
 * A failover that loses the asynchronous tail: on the model, and on two real servers with streaming replication, of which the
 * first is killed with commits that the second has never heard of.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import fs from "node:fs"
import path from "node:path"
import { run, skipped } from "../../adapters/postgres/Database.fixture.ts"
import { type Connection, type EmbeddedPostgres, make } from "../../adapters/postgres/EmbeddedPostgres.ts"
import { add, and, eq, lt } from "../../core/ports/Condition.ts"
import { leases } from "../../core/ports/Storage.ts"
import { Dialogue, accounts, statementOf } from "./Dialogue.ts"
import { ModelRun, type Move, type Player, describe as told } from "./Lockstep.fixture.ts"
import { RealServer, createTables } from "./RealServer.fixture.ts"

const say = (call: Parameters<typeof statementOf>[0]): Move => ({ does: "execute", statement: statementOf(call) })
const set = (id: number, value: number) =>
  say((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ value }) }))
const insert = (id: number) => say((t) => t.insert(accounts, { id, name: `account ${id}`, value: 30 }))
const takeOver = (holder: string, before: number) =>
  say((t) =>
    t.update(leases, {
      where: (row) => and(eq(row.key, "shard"), lt(row.expiresAt, before)),
      set: (row) => ({ holder, epoch: add(row.epoch, 1), expiresAt: before })
    })
  )
const fence = (epoch: number): Move => ({
  does: "execute",
  statement: { _tag: "Fence", fences: [{ lease: "shard", epoch }] }
})
const all = say((t) => t.select(accounts))
const commit: Move = { does: "commit" }

type Line = readonly [session: 1 | 2 | 3, move: Move]

/** Replicated. */
const first: ReadonlyArray<Line> = [
  [1, set(1, 11)],
  [1, commit],
  [2, takeOver("n2", 10)],
  [2, commit]
]
/** Acknowledged, and lost: two rows, and a lease that changed hands. The last transaction is open when the server dies. */
const tail: ReadonlyArray<Line> = [
  [1, set(1, 12)],
  [1, insert(3)],
  [1, commit],
  [2, takeOver("n3", 20)],
  [2, commit],
  [1, fence(3)],
  [1, set(2, 22)],
  [1, commit],
  [3, set(2, 99)]
]
/** The epoch that was lost is given out a second time: whoever held it the first time passes the fence of the second. */
const afterwards: ReadonlyArray<Line> = [
  [1, all],
  [1, fence(3)],
  [1, commit],
  [1, fence(2)],
  [1, commit],
  [2, takeOver("n4", 30)],
  [2, insert(3)],
  [2, commit],
  [1, fence(3)],
  [1, all],
  [1, commit]
]

const play = async (player: Player, lines: ReadonlyArray<Line>): Promise<ReadonlyArray<string>> => {
  const shown: Array<string> = []
  for (const [session, move] of lines) {
    shown.push(told(await player.play({ session: session - 1, isolation: "read committed", move })))
  }
  return shown
}

const tables = [accounts, leases]
const given = [
  statementOf((t) =>
    t.insert(accounts, [
      { id: 1, name: "one", value: 10 },
      { id: 2, name: "two", value: 20 }
    ])
  ),
  statementOf((t) =>
    t.insert(leases, {
      key: "shard",
      holder: "n1",
      epoch: 1,
      acquiredAt: 0,
      renewedAt: 0,
      expiresAt: 0,
      releasedAt: null
    })
  )
]

/** A standby of this server: its files, copied while it is down, and a connection to it for what comes. */
const standbyOf = (primary: EmbeddedPostgres) =>
  Effect.gen(function* () {
    const { host, password, port, username } = primary.connection
    yield* primary.stop("fast")
    const standby = yield* make({
      prepare: (directory) =>
        Effect.sync(() => {
          fs.rmSync(directory, { recursive: true })
          fs.cpSync(primary.dataDirectory, directory, { recursive: true })
          fs.rmSync(path.join(directory, "postmaster.pid"), { force: true })
          fs.writeFileSync(path.join(directory, "standby.signal"), "")
          const conninfo = `host=${host} port=${port} user=${username} password=${Redacted.value(password)}`
          fs.writeFileSync(path.join(directory, "postgresql.auto.conf"), `primary_conninfo = '${conninfo}'\n`)
          fs.chmodSync(directory, 0o700)
        })
    })
    yield* primary.start
    return { connection: { ...standby.connection, password } }
  })

/** Polls until the question is answered with true. */
const until = (connection: Connection, question: string) =>
  Effect.gen(function* () {
    for (let round = 0; round < 2_000; round++) {
      const [row] = yield* run(connection, question)
      if (Object.values(row ?? {})[0] === true) return
      yield* Effect.sleep("10 millis")
    }
    return assert.fail(`never true: ${question}`)
  })

describe.skipIf(skipped({ isControlled: true }))("a failover that loses the tail", () => {
  it.live("shows clients the same on the model as on two servers, of which the second was promoted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const primary = yield* make({ settings: { wal_level: "replica" } })
        yield* Effect.promise(() => createTables(primary.connection, { tables, given }))
        yield* run(primary.connection, "select reset()")
        const standby = yield* standbyOf(primary)
        const options = { tables, sessions: 3, settings: [] }

        const before = yield* Effect.promise(() => RealServer.open(primary.connection, options))
        const shown = [...(yield* Effect.promise(() => play(before, first)))]
        const [position] = yield* run(primary.connection, "select pg_current_wal_lsn()::text as lsn")
        yield* until(standby.connection, `select pg_last_wal_replay_lsn() >= '${String(position!["lsn"])}'::pg_lsn`)
        // From here on the standby hears nothing more.
        yield* run(standby.connection, "alter system set primary_conninfo = ''")
        yield* run(standby.connection, "select pg_reload_conf()")
        yield* until(standby.connection, "select count(*) = 0 from pg_stat_wal_receiver")
        shown.push(...(yield* Effect.promise(() => play(before, tail))))
        yield* primary.kill
        yield* run(standby.connection, "select pg_promote()")
        yield* until(standby.connection, "select not pg_is_in_recovery()")

        const after = yield* Effect.promise(() => RealServer.open(standby.connection, options))
        shown.push(...(yield* Effect.promise(() => play(after, afterwards))))
        yield* Effect.promise(() => after.close())

        const model = new ModelRun({ tables, sessions: 3, readTracking: "keys", given })
        const onModel = [...(yield* Effect.promise(() => play(model, first)))]
        const heard = model.committed
        onModel.push(...(yield* Effect.promise(() => play(model, tail))))
        model.failOver(heard)
        onModel.push(...(yield* Effect.promise(() => play(model, afterwards))))
        assert.deepStrictEqual(onModel, shown)
        assert.strictEqual(shown[first.length + tail.length + 1], "0 gets Fenced", "the lost epoch is no longer there")
        assert.match(shown.at(-3)!, /^0 gets 0: $/, "and is there again, for somebody else")
      })
    )
  )
})

describe("commits undone", () => {
  const id = fc.integer({ min: 1, max: 4 })
  const change = fc.oneof(
    id.map((id) => (dialogue: Dialogue) => speak(dialogue, insert(id))),
    fc.record({ id, value: fc.nat({ max: 9 }) }).map(
      ({ id, value }) =>
        (dialogue: Dialogue) =>
          speak(dialogue, set(id, value))
    ),
    fc.record({ id, to: id }).map(
      ({ id, to }) =>
        (dialogue: Dialogue) =>
          speak(
            dialogue,
            say((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ id: to }) }))
          )
    ),
    id.map(
      (id) => (dialogue: Dialogue) =>
        speak(
          dialogue,
          say((t) => t.delete(accounts, { where: (row) => eq(row.id, id) }))
        )
    )
  )
  const speak = (dialogue: Dialogue, move: Move) => {
    const speaker = dialogue.speaker().begin("read committed")
    if (move.does === "execute") speaker.send(move.statement)
    speaker.commit()
    speaker.session.terminate()
  }
  const rows = (dialogue: Dialogue) =>
    dialogue.engine.committed("accounts").toSorted((left, right) => Number(left["id"]) - Number(right["id"]))

  it("leave the tables as they were before them, indexes included, and what follows goes on from there", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 12 }), (kept, lost) => {
        const dialogue = new Dialogue({ tables: [accounts] })
        for (const make of kept) make(dialogue)
        const heard = dialogue.commits.length
        const before = rows(dialogue)
        for (const make of lost) make(dialogue)
        dialogue.engine.revert(dialogue.commits.slice(heard), "failover")
        assert.deepStrictEqual(rows(dialogue), before)
        const speaker = dialogue.speaker().begin("read committed")
        for (const of of [1, 2, 3, 4]) {
          const found = speaker.say((t) => t.get(accounts, { id: of })).text
          const expected = before.find((row) => row["id"] === of)
          assert.strictEqual(found, expected === undefined ? "-" : `${of}:${String(expected["value"])}`)
          const named = speaker.say((t) => t.select(accounts, { where: (row) => eq(row.name, `account ${of}`) })).text
          const byName = before.find((row) => row["name"] === `account ${of}`)
          assert.strictEqual(named, byName === undefined ? "-" : `${String(byName["id"])}:${String(byName["value"])}`)
        }
      })
    )
  })
})
