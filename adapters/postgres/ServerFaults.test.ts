/**
 * Faults of a real server, each compared with what is in the tables afterwards. What a session that is terminated, a full pool
 * and a server that does not answer mean for one transaction is in `PostgresStorage.test.ts`.
 *
 * `STORMGLASS_KILL_CYCLES=50 vitest run adapters/postgres/ServerFaults` kills the server as often.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { spawn, spawnSync } from "node:child_process"
import path from "node:path"
import readline from "node:readline"
import { idleInTransactionTimeoutMillis, lockTimeoutMillis, statementTimeoutMillis } from "../../core/Limits.ts"
import { follow } from "../../core/feed/follow.ts"
import * as Lease from "../../core/lease/Lease.ts"
import { add, eq } from "../../core/ports/Condition.ts"
import { type Fence, Storage, type Transaction, type TransactionOptions } from "../../core/ports/Storage.ts"
import { Replica } from "../../core/ports/Replica.fixture.ts"
import type { Table } from "../../core/ports/Table.ts"
import { run, skipped } from "./Database.fixture.ts"
import { type EmbeddedPostgres, make } from "./EmbeddedPostgres.ts"
import * as FeedClient from "./FeedClient.ts"
import * as PostgresFeed from "./Feed.ts"
import { createFeed, recordChangesOf } from "./FeedSchema.ts"
import * as OperationWriters from "./OperationWriters.fixture.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"
import * as Takeover from "./Takeover.fixture.ts"

const killCycles = Number(process.env["STORMGLASS_KILL_CYCLES"] ?? "5")

const prepare = (server: EmbeddedPostgres, tables: ReadonlyArray<Table<unknown>>) =>
  run(server.connection, ...createSchema(tables), ...createFeed, ...tables.flatMap(recordChangesOf))

const storageOn = ({ connection }: EmbeddedPostgres, tables: ReadonlyArray<Table<unknown>>, connectionsMax = 20) =>
  Effect.map(Layer.build(PostgresStorage.layer({ connection, tables, connectionsMax })), (context) =>
    Context.get(context, Storage)
  )

const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (holds) => holds }),
    Effect.timeout("30 seconds"),
    Effect.orDie
  )

const untilTrue = (condition: () => boolean) => until(Effect.sync(condition))

const acquire = (storage: typeof Storage.Service, holder: string, profile = Lease.profileDefault) =>
  Lease.acquire(storage.once, { keys: [Takeover.leaseKey], holder, profile })

/** Renews as a keeper does, with the pauses between attempts; tells the longest time from one good renewal to the next. */
const renewing = (storage: typeof Storage.Service, fence: Fence, longest: { millis: number }, pauseMillis: number) =>
  Effect.gen(function* () {
    let goodSince = performance.now()
    while (true) {
      const sent = performance.now()
      const renewed = yield* Effect.exit(
        Lease.renew(storage.once, { held: [fence], holder: "holder", profile: Lease.profileDefault })
      )
      if (Exit.isSuccess(renewed) && renewed.value.length === 1) {
        longest.millis = Math.max(longest.millis, performance.now() - goodSince)
        goodSince = sent
      }
      yield* Effect.sleep(pauseMillis)
    }
  })

describe.skipIf(skipped({ isControlled: true }))("a real server that fails", () => {
  it.live(
    `under sixteen fenced idempotent writers, killed ${killCycles} times: nothing acknowledged is lost, nothing is done twice, and the feed knows it all`,
    () =>
      Effect.gen(function* () {
        const { tables } = OperationWriters
        const server = yield* make({ fsync: true })
        yield* prepare(server, tables)
        const storage = yield* storageOn(server, tables)
        const here = Effect.provideService(Storage, storage)
        yield* here(OperationWriters.prepare)
        const [kept] = yield* acquire(storage, "holder")

        const replica = new Replica()
        const client = FeedClient.layer({ connection: server.connection })
        const feed = PostgresFeed.layer({ tables }).pipe(Layer.provide(client))
        const following = follow({
          tables,
          onListing: (listing) => Effect.sync(() => replica.list(listing, tables)),
          onBatch: ({ changes }) => Effect.sync(() => replica.apply(changes))
        })
        const follower = yield* Effect.forkScoped(Effect.provide(following, feed))

        const ledger: OperationWriters.Ledger = { operations: [], known: 0 }
        const ending = { isOver: false }
        const writers = yield* Effect.forkScoped(here(OperationWriters.write(ledger, ending, () => kept!.fence)))
        for (let cycle = 0; cycle < killCycles; cycle++) {
          const before = ledger.known
          yield* untilTrue(() => ledger.known > before + 100)
          const backends = yield* server.children
          yield* server.kill
          // Every other time its backends too, in the middle of whatever they do; otherwise they notice, and finish it.
          if (cycle % 2 === 1) for (const pid of backends) killed(pid)
          yield* server.start
        }
        ending.isOver = true
        yield* Fiber.join(writers)
        yield* here(OperationWriters.compare(ledger))
        const told = OperationWriters.tally(ledger)
        console.log(`${killCycles} kills, ${ledger.known} operations; told ${JSON.stringify(told)}`)
        assert.isAbove(told["Unavailable"]! + (told["UnknownOutcome"] ?? 0), killCycles, "the kills were felt")

        const [truth] = yield* run(server.connection, "select count(*)::int as count from operations")
        const known = () => Array.from(replica.rows.keys()).filter((name) => name.startsWith("operations ")).length
        yield* untilTrue(() => follower.pollUnsafe() !== undefined || known() === truth!["count"])
        assert.strictEqual(follower.pollUnsafe(), undefined, "whoever follows the feed found every change in its place")
      }),
    60_000 + killCycles * 10_000
  )

  it.live("renews the lease in time while sixteen writers overlap under its fence", () =>
    Effect.gen(function* () {
      const { tables } = OperationWriters
      const server = yield* make({ fsync: true })
      yield* prepare(server, tables)
      const storage = yield* storageOn(server, tables)
      const here = Effect.provideService(Storage, storage)
      yield* here(OperationWriters.prepare)
      const [kept] = yield* acquire(storage, "holder")
      const longest = { millis: 0 }
      yield* Effect.forkScoped(renewing(storage, kept!.fence, longest, 50))
      const ledger: OperationWriters.Ledger = { operations: [], known: 0 }
      const ending = { isOver: false }
      const writers = yield* Effect.forkScoped(here(OperationWriters.write(ledger, ending, () => kept!.fence)))
      yield* untilTrue(() => ledger.known > 3_000)
      ending.isOver = true
      yield* Fiber.join(writers)
      yield* here(OperationWriters.compare(ledger))
      console.log(`${ledger.known} operations; at most ${Math.round(longest.millis)} ms from one renewal to the next`)
      assert.isBelow(longest.millis, Lease.profileDefault.renewDeadlineMillis)
      assert.isAbove(longest.millis, 0)
    })
  )

  it.live("crashes as a whole when one backend is killed: who wrote is told, and nothing of it is there", () =>
    Effect.gen(function* () {
      const server = yield* make()
      yield* prepare(server, Takeover.tables)
      const storage = yield* storageOn(server, Takeover.tables)
      yield* storage.once((t) => t.insert(Takeover.accounts, { id: 1, value: 0 }), { label: "prepare" })
      const outcome = yield* Effect.flip(
        storage.transaction(
          (t) =>
            Effect.gen(function* () {
              yield* deposit(t)
              killed(yield* backendOf(server, "deposit"))
              yield* until(Effect.map(server.children, (children) => children.length > 0))
              return yield* deposit(t)
            }),
          { label: "deposit" }
        )
      )
      assert.strictEqual(outcome.reason._tag, "Unavailable")
      assert.strictEqual(yield* persistently(valueOf(storage)), 0)
    })
  )

  it.live("a backend that is stopped while it holds a row's lock holds nobody longer than the timeouts", () =>
    Effect.gen(function* () {
      const server = yield* make()
      yield* prepare(server, Takeover.tables)
      const storage = yield* storageOn(server, Takeover.tables)
      yield* storage.once((t) => t.insert(Takeover.accounts, { id: 1, value: 0 }), { label: "prepare" })
      const stopped = yield* Deferred.make<number>()
      const holder = yield* Effect.forkScoped(
        Effect.exit(
          storage.transaction(
            (t) =>
              Effect.gen(function* () {
                yield* deposit(t)
                const pid = yield* backendOf(server, "stopped")
                process.kill(pid, "SIGSTOP")
                yield* Deferred.succeed(stopped, pid)
              }),
            { label: "stopped" }
          )
        )
      )
      const pid = yield* Effect.acquireRelease(Deferred.await(stopped), (pid) => Effect.sync(() => continued(pid)))
      const began = performance.now()
      const waiting = yield* Effect.flip(storage.once(deposit, { label: "waiting" }))
      assert.deepInclude(waiting.reason, { _tag: "Timeout", limit: "lock" })
      // Nobody can end a stopped backend but SIGKILL: what bounds the others is their own timeout.
      yield* run(server.connection, `select pg_terminate_backend(${pid})::text`)
      const still = yield* Effect.flip(storage.once(deposit, { label: "waiting" }))
      assert.strictEqual(still.reason._tag, "Timeout")
      assert.isBelow(performance.now() - began, 2 * (lockTimeoutMillis + statementTimeoutMillis) + 3_000)
      const told = yield* Fiber.join(holder)
      const reason = yield* Effect.flip(told)
      assert.strictEqual(reason.reason._tag, "UnknownOutcome", "COMMIT was sent and not answered")
      continued(pid)
      // Terminated before it could read COMMIT.
      yield* until(Effect.map(storage.once(deposit, { label: "after" }).pipe(Effect.exit), Exit.isSuccess))
      assert.strictEqual(yield* valueOf(storage), 1)
    })
  )

  // covers A20
  it.live(
    "a lease is taken over in time from a process that is stopped inside a transaction, whose write is refused",
    () =>
      Effect.gen(function* () {
        const server = yield* make()
        yield* prepare(server, Takeover.tables)
        const storage = yield* storageOn(server, Takeover.tables)
        yield* storage.once((t) => t.insert(Takeover.accounts, { id: 1, value: 0 }), { label: "prepare" })
        const first = yield* startHolder(server)
        yield* untilTrue(() => first.lines.includes("inside"))
        process.kill(first.pid, "SIGSTOP")
        const began = performance.now()
        const attempt = Effect.exit(acquire(storage, "second", Takeover.profile))
        const won = yield* attempt.pipe(
          Effect.repeat({
            schedule: Schedule.spaced(Takeover.profile.retryPeriodMillis),
            until: (exit) => Exit.isSuccess(exit) && exit.value.length === 1
          })
        )
        const tookMillis = performance.now() - began
        const { fence } = (yield* won)[0]!
        assert.strictEqual(fence.epoch, 2)
        const { durationMillis, retryPeriodMillis } = Takeover.profile
        // Expired, and its lock is gone with its session; then one more attempt, which may wait for a lock.
        const expired = Math.max(durationMillis, idleInTransactionTimeoutMillis)
        assert.isBelow(tookMillis, expired + retryPeriodMillis + lockTimeoutMillis + statementTimeoutMillis)
        yield* storage.once(deposit, { label: "second", fences: [fence] })
        process.kill(first.pid, "SIGCONT")
        first.write("go on")
        yield* untilTrue(() => first.lines.length === 3)
        assert.include(["Unavailable", "Timeout"], first.lines[1], "its session has ended")
        assert.strictEqual(first.lines[2], "Fenced")
        assert.strictEqual(yield* valueOf(storage), 1, "only the second has written")
      })
  )

  const noStrace = spawnSync("strace", ["-V"]).status === 0 ? undefined : "no strace here to make fsync fail"
  if (noStrace !== undefined) console.warn(`skipped: ${noStrace}`)
  it.live.skipIf(noStrace !== undefined)(
    "a commit whose flush to the disk fails is unknown, and the server ends rather than flush again",
    () =>
      Effect.gen(function* () {
        const server = yield* make({ fsync: true })
        yield* prepare(server, Takeover.tables)
        const storage = yield* storageOn(server, Takeover.tables)
        yield* storage.once((t) => t.insert(Takeover.accounts, { id: 1, value: 0 }), { label: "prepare" })
        const told = yield* Effect.flip(
          storage.transaction(
            (t) =>
              Effect.gen(function* () {
                yield* deposit(t)
                yield* failingFlush(yield* backendOf(server, "flushed"))
              }),
            { label: "flushed" }
          )
        )
        assert.strictEqual(told.reason._tag, "UnknownOutcome")
        assert.include(yield* server.log, "PANIC")
        // The log record was written, and only its flush failed: whether it is found again is the system's affair.
        assert.include([0, 1], yield* persistently(valueOf(storage)))
      }).pipe(Effect.scoped)
  )
})

const deposit = (t: Transaction) =>
  t.update(Takeover.accounts, { where: (row) => eq(row.id, 1), set: (row) => ({ value: add(row.value, 1) }) })

const valueOf = ({ once }: typeof Storage.Service) =>
  Effect.map(
    once((t) => t.get(Takeover.accounts, { id: 1 }), { label: "value" }),
    (row) => row!.value
  )

/** Until the server has recovered. */
const persistently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.retry(effect, { schedule: Schedule.spaced("50 millis"), times: 400 })

/** The process that serves the transaction of this label. */
const backendOf = (server: EmbeddedPostgres, label: TransactionOptions["label"]) =>
  Effect.map(
    run(
      server.connection,
      `select pid from pg_stat_activity where state = 'idle in transaction' and backend_type = 'client backend'`
    ),
    (rows) => (rows.length === 1 ? (rows[0]!["pid"] as number) : assert.fail(`${label}: ${rows.length} transactions`))
  )

function killed(pid: number): void {
  signal(pid, "SIGKILL")
}

function continued(pid: number): void {
  signal(pid, "SIGCONT")
}

/** To a process of the server's, which may have ended by itself. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    assert.strictEqual((error as NodeJS.ErrnoException).code, "ESRCH")
  }
}

const startHolder = ({ connection }: EmbeddedPostgres) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { database, password, port } = connection
      const settings = JSON.stringify({ database, port, password: Redacted.value(password) })
      const file = path.join(import.meta.dirname, "StoppedHolder.fixture.ts")
      const child = spawn(process.execPath, [file, settings], { stdio: ["pipe", "pipe", "inherit"] })
      const lines: Array<string> = []
      readline.createInterface({ input: child.stdout }).on("line", (line) => lines.push(line))
      return { pid: child.pid!, lines, write: (line: string) => child.stdin.write(`${line}\n`), child }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** From now on this process is told that its flushes fail, as a disk that is broken would. */
const failingFlush = (pid: number) =>
  Effect.gen(function* () {
    const args = [
      "-f",
      "-qq",
      "-e",
      "trace=fsync,fdatasync",
      "-e",
      "inject=fsync,fdatasync:error=EIO",
      "-p",
      String(pid)
    ]
    const tracer = yield* Effect.acquireRelease(
      Effect.sync(() => spawn("strace", args, { stdio: "ignore" })),
      (tracer) => Effect.sync(() => tracer.kill("SIGTERM"))
    )
    const traced = () => spawnSync("grep", ["-q", `^TracerPid:[[:space:]]*${tracer.pid}$`, `/proc/${pid}/status`])
    yield* untilTrue(() => traced().status === 0)
  })
