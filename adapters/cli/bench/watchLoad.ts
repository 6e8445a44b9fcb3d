/**
 * `npm run bench:watch`: many watchers over WebSockets on one node on real Postgres, while so many changes a second are committed. Then the
 * node is killed and started again under the same watchers, and the changes go on.
 *
 * Each change makes a fleet, and each watcher must be told of each once, also across the restart; the bench fails when one was not. The
 * time of a delivery is counted from when the change was sent, and from when it was answered: the commit lies between the two.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { make as makeClient } from "../../../core/client/Client.ts"
import { handshakesBurst, handshakesPerSecond } from "../../../core/Limits.ts"
import * as HttpCalling from "../../node/HttpCalling.ts"
import { make as makePostgres } from "../../postgres/EmbeddedPostgres.ts"
import { table } from "../remote/table.ts"
import { attempt, runCommand } from "../runCommand.ts"
import { UsageError } from "../Usage.ts"
import * as HandshakeCounter from "./HandshakeCounter.ts"
import { LightWatcher } from "./LightWatcher.ts"
import { nodeProcess } from "./nodeProcess.ts"
import { processorMicros } from "./processorTime.ts"

const watchLoad = Command.make(
  "watch",
  {
    watchers: Flag.Int("watchers").pipe(Flag.withDescription("How many watch"), Flag.withDefault(1_000)),
    rate: Flag.Int("rate").pipe(Flag.withDescription("Changes a second"), Flag.withDefault(20)),
    seconds: Flag.Int("seconds").pipe(Flag.withDescription("Of each round"), Flag.withDefault(20)),
    port: Flag.Int("port").pipe(Flag.withDescription("Of the node"), Flag.withDefault(18_778)),
    profile: Flag.String("profile").pipe(
      Flag.withDescription("Directory for the node's processor profile"),
      Flag.withDefault("")
    )
  },
  (options) => attempt(() => watchCommand(options))
).pipe(Command.withDescription("Measure how fast many watchers are told, and how they come back"))

interface Options {
  readonly watchers: number
  readonly rate: number
  readonly seconds: number
  readonly port: number
  readonly profile: string
}

const project = "bench"
const patienceMillis = 60_000

async function watchCommand(options: Options): Promise<void> {
  if (options.watchers < 1 || options.rate < 1 || options.seconds < 1) {
    throw new UsageError("--watchers, --rate, --seconds: at least 1")
  }
  const lines = await Effect.runPromise(Effect.scoped(measure(options)).pipe(Effect.provide(HttpCalling.layer)))
  process.stdout.write(`${lines.join("\n")}\n`)
}

/** When a fleet was asked for, and when that was answered. */
interface Change {
  readonly sentAt: number
  answeredAt: number | undefined
}

/** What all watchers have been told. */
class Told {
  readonly changes = new Map<string, Change>()
  /** How often a stream was opened. */
  opened = 0
  /** Of how many fleets all of them together. */
  count = 0
  /** Of each watcher. */
  readonly #fleets = new Map<number, Set<string>>()
  readonly problems: Array<string> = []
  /** Since the round began. */
  fromSent: Array<number> = []
  readonly #unanswered = new Map<string, number>()
  fromAnswered: Array<number> = []

  onFleet(watcher: number, id: string): void {
    const now = performance.now()
    let known = this.#fleets.get(watcher)
    if (known === undefined) this.#fleets.set(watcher, (known = new Set()))
    if (known.has(id)) this.problems.push(`watcher ${watcher} was told of ${id} twice`)
    known.add(id)
    this.count++
    const change = this.changes.get(id)
    if (change === undefined) return
    this.fromSent.push(now - change.sentAt)
    if (change.answeredAt !== undefined) this.fromAnswered.push(now - change.answeredAt)
    else this.#unanswered.set(id, (this.#unanswered.get(id) ?? 0) + 1)
  }

  answered(named: string): void {
    const change = this.changes.get(named)!
    change.answeredAt = performance.now()
    // Told before it was answered: no time at all.
    for (let nth = this.#unanswered.get(named) ?? 0; nth > 0; nth--) this.fromAnswered.push(0)
    this.#unanswered.delete(named)
  }

  startRound(): void {
    this.fromSent = []
    this.fromAnswered = []
  }
}

const measure = Effect.fnUntraced(function* (options: Options) {
  const { port, profile, watchers } = options
  const address = `http://127.0.0.1:${port}`
  const server = yield* makePostgres({ fsync: false })
  const told = new Told()
  const scope = yield* Effect.scope
  const start = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    const pid = yield* Effect.provideService(nodeProcess(server, { port, profile }), Scope.Scope, own)
    return { own, pid }
  })
  let node = yield* start
  const client = yield* makeClient(address)
  const put = Effect.fnUntraced(function* (name: string) {
    const id = `${project}/${name}`
    told.changes.set(id, { sentAt: performance.now(), answeredAt: undefined })
    yield* client.fleets
      .put({
        params: { project, name },
        query: {},
        headers: { "idempotency-key": name },
        payload: { desired: 0, spec: { image: "web:1", size: "small" } }
      })
      .pipe(Effect.retry({ while: ({ _tag }) => _tag === "Unavailable", schedule: Schedule.spaced("100 millis") }))
    told.answered(id)
  })
  yield* put("f0")

  let looks: Array<HandshakeCounter.Look> = []
  const counting = yield* Effect.forkScoped(Effect.suspend(() => HandshakeCounter.look(port, looks)))
  const path = `/v1/projects/${project}/watch?kinds=fleets`
  const all = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Array.from(
        { length: watchers },
        (_, watcher) =>
          new LightWatcher(`ws://127.0.0.1:${port}${path}`, {
            onOpen: () => told.opened++,
            onFleet: (id) => told.onFleet(watcher, id),
            onProblem: (problem) => told.problems.push(`watcher ${watcher}: ${problem}`)
          })
      )
    ),
    (started) =>
      Effect.sync(() => {
        for (const each of started) each.end()
      })
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.delay(
        Effect.sync(() => {
          for (const each of all) each.look()
        }),
        "1 second"
      )
    )
  )
  const until = (what: string, isSo: () => boolean) =>
    Effect.gen(function* () {
      const from = performance.now()
      while (!isSo()) {
        if (told.problems.length > 0) return yield* Effect.die(new Error(told.problems.slice(0, 5).join("\n")))
        if (performance.now() - from > patienceMillis) {
          return yield* Effect.die(
            new Error(
              `${what}: not within ${patienceMillis / 1_000} s; ${told.count} deliveries, ${told.opened} streams opened`
            )
          )
        }
        yield* Effect.sleep(20)
      }
      return performance.now() - from
    })
  let made = 1
  const everybodyKnows = until("everybody told", () => told.count >= watchers * made)
  const joinedMillis = yield* everybodyKnows
  const limits = { perSecond: handshakesPerSecond, burst: handshakesBurst, atLeast: watchers }
  yield* Effect.sleep(500)
  yield* Fiber.interrupt(counting)
  const peakAtFirst = HandshakeCounter.judge(looks, limits)

  const round = Effect.gen(function* () {
    told.startRound()
    const cpuBefore = process.cpuUsage()
    const nodeBefore = processorMicros(node.pid)
    const from = performance.now()
    const count = options.seconds * options.rate
    for (let nth = 0; nth < count; nth++) {
      const waitMillis = from + (nth * 1_000) / options.rate - performance.now()
      if (waitMillis > 0) yield* Effect.sleep(waitMillis)
      yield* Effect.forkChild(
        Effect.tapCause(put(`f${made++}`), (cause) => Effect.sync(() => told.problems.push(Cause.pretty(cause))))
      )
    }
    yield* everybodyKnows
    const seconds = (performance.now() - from) / 1_000
    const cpu = process.cpuUsage(cpuBefore)
    const events = told.fromSent.length
    return [
      String(events),
      (count / seconds).toFixed(1),
      ...[told.fromSent, told.fromAnswered].flatMap((millis) => [
        `${quantile(millis, 0.5).toFixed(1)} ms`,
        `${quantile(millis, 0.99).toFixed(1)} ms`
      ]),
      `${(((processorMicros(node.pid) - nodeBefore) / 1e6 / seconds) * 100).toFixed(0)} %`,
      `${(((cpu.user + cpu.system) / 1e6 / seconds) * 100).toFixed(0)} %`
    ]
  })
  const before = yield* round
  told.opened = 0
  const killedAt = performance.now()
  yield* Effect.sync(() => process.kill(-node.pid, "SIGKILL"))
  yield* Scope.close(node.own, Exit.void)
  looks = []
  const countingAgain = yield* Effect.forkScoped(HandshakeCounter.look(port, looks))
  node = yield* start
  const readyMillis = performance.now() - killedAt
  yield* until("everybody back", () => told.opened >= watchers)
  const backMillis = performance.now() - killedAt
  yield* Effect.sleep(500)
  yield* Fiber.interrupt(countingAgain)
  const peak = HandshakeCounter.judge(looks, limits)
  const after = yield* round

  if (told.problems.length > 0) return yield* Effect.die(new Error(told.problems.slice(0, 5).join("\n")))
  const bound = handshakesPerSecond + handshakesBurst
  const head = ["", "deliveries", "changes/s", "median", "p99", "from the answer", "p99", "node", "watchers"]
  return [
    table(head, [
      ["before", ...before],
      ["after", ...after]
    ]),
    `${watchers} watchers joined within ${(joinedMillis / 1_000).toFixed(1)} s, at most ${peakAtFirst} handshakes in any second by the count of the node (limit ${bound})`,
    `node killed: ready again after ${(readyMillis / 1_000).toFixed(1)} s, everybody back after ${(backMillis / 1_000).toFixed(1)} s, at most ${peak} handshakes in any second`,
    "every watcher was told of every change, once"
  ]
})

const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

process.exitCode = (await runCommand(watchLoad)) ?? process.exitCode ?? 0
