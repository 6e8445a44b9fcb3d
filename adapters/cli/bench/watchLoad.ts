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
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { make as makeClient } from "../../../core/client/Client.ts"
import { watchBySocket } from "../../../core/client/watch.ts"
import { Facts } from "../../../core/facts/Facts.ts"
import { handshakesBurst, handshakesPerSecond } from "../../../core/Limits.ts"
import type { Frame } from "../../../core/watch/WatchFrame.ts"
import * as HttpCalling from "../../node/HttpCalling.ts"
import { make as makePostgres } from "../../postgres/EmbeddedPostgres.ts"
import * as WebSocketDial from "../../websocket/WebSocketDial.ts"
import { table } from "../remote/table.ts"
import { attempt, runCommand } from "../runCommand.ts"
import { UsageError } from "../Usage.ts"
import { nodeProcess } from "./nodeProcess.ts"
import { processorMicros } from "./processorTime.ts"

const watchLoad = Command.make(
  "watch",
  {
    watchers: Flag.Int("watchers").pipe(Flag.withDescription("How many watch"), Flag.withDefault(1_000)),
    rate: Flag.Int("rate").pipe(Flag.withDescription("Changes a second"), Flag.withDefault(20)),
    seconds: Flag.Int("seconds").pipe(Flag.withDescription("Of each round"), Flag.withDefault(20)),
    port: Flag.Int("port").pipe(Flag.withDescription("Of the node"), Flag.withDefault(18_778))
  },
  (options) => attempt(() => watchCommand(options))
).pipe(Command.withDescription("Measure how fast many watchers are told, and how they come back"))

interface Options {
  readonly watchers: number
  readonly rate: number
  readonly seconds: number
  readonly port: number
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
  readonly openedAt: Array<number> = []
  /** Of each watcher. */
  readonly #fleets = new Map<number, Set<string>>()
  readonly problems: Array<string> = []
  /** Since the round began. */
  fromSent: Array<number> = []
  readonly #unanswered = new Map<string, Array<number>>()
  fromAnswered: Array<number> = []

  onFrame(watcher: number, frame: Frame): void {
    if (frame._tag !== "Changes") return
    const now = performance.now()
    const known = this.#fleets.get(watcher) ?? new Set()
    this.#fleets.set(watcher, known)
    for (const { id, kind } of frame.changes.events) {
      if (kind !== "fleet") continue
      if (known.has(id)) this.problems.push(`watcher ${watcher} was told of ${id} twice`)
      known.add(id)
      const change = this.changes.get(id)
      if (change === undefined) continue
      this.fromSent.push(now - change.sentAt)
      if (change.answeredAt !== undefined) this.fromAnswered.push(now - change.answeredAt)
      else this.#unanswered.set(id, [...(this.#unanswered.get(id) ?? []), now])
    }
  }

  answered(named: string): void {
    const change = this.changes.get(named)!
    change.answeredAt = performance.now()
    // Told before it was answered: no time at all.
    for (const _ of this.#unanswered.get(named) ?? []) this.fromAnswered.push(0)
    this.#unanswered.delete(named)
  }

  /** Of how many fleets all of them together. */
  get count(): number {
    return [...this.#fleets.values()].reduce((sum, { size }) => sum + size, 0)
  }

  startRound(): void {
    this.fromSent = []
    this.fromAnswered = []
  }
}

const measure = Effect.fnUntraced(function* (options: Options) {
  const { port, watchers } = options
  const address = `http://127.0.0.1:${port}`
  const server = yield* makePostgres({ fsync: false })
  const told = new Told()
  const facts = Layer.succeed(Facts, ({ _tag }) => {
    if (_tag === "WatchOpened") told.openedAt.push(performance.now())
  })
  const scope = yield* Effect.scope
  const start = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    const pid = yield* Effect.provideService(nodeProcess(server, { port }), Scope.Scope, own)
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

  const all = Array.from({ length: watchers }, (_, watcher) =>
    watchBySocket({
      addresses: [address],
      path: `/v1/projects/${project}/watch?kinds=fleets`,
      onFrame: (frame) => Effect.sync(() => told.onFrame(watcher, frame))
    })
  )
  const watching = yield* Effect.forkScoped(
    Effect.all(all, { concurrency: "unbounded", discard: true }).pipe(
      Effect.provide(Layer.merge(WebSocketDial.layer(), facts))
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
              `${what}: not within ${patienceMillis / 1_000} s; ${told.count} deliveries, ${told.openedAt.length} streams opened`
            )
          )
        }
        if (watching.pollUnsafe() !== undefined) return yield* Effect.die(new Error("a watcher was refused"))
        yield* Effect.sleep(20)
      }
      return performance.now() - from
    })
  let made = 1
  const everybodyKnows = until("everybody told", () => told.count >= watchers * made)
  const joinedMillis = yield* everybodyKnows
  const peakAtFirst = peakOf(told.openedAt)

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
  told.openedAt.length = 0
  const killedAt = performance.now()
  yield* Effect.sync(() => process.kill(-node.pid, "SIGKILL"))
  yield* Scope.close(node.own, Exit.void)
  node = yield* start
  const readyMillis = performance.now() - killedAt
  yield* until("everybody back", () => told.openedAt.length >= watchers)
  const backMillis = performance.now() - killedAt
  const peak = peakOf(told.openedAt)
  const after = yield* round
  yield* Fiber.interrupt(watching)

  if (told.problems.length > 0) return yield* Effect.die(new Error(told.problems.slice(0, 5).join("\n")))
  const bound = handshakesPerSecond + handshakesBurst
  const head = ["", "deliveries", "changes/s", "median", "p99", "from the answer", "p99", "node", "watchers"]
  return [
    table(head, [
      ["before", ...before],
      ["after", ...after]
    ]),
    `${watchers} watchers joined within ${(joinedMillis / 1_000).toFixed(1)} s, at most ${peakAtFirst} handshakes in any second as they saw it (a node takes at most ${bound})`,
    `node killed: ready again after ${(readyMillis / 1_000).toFixed(1)} s, everybody back after ${(backMillis / 1_000).toFixed(1)} s, at most ${peak} handshakes in any second, as they saw it`,
    "every watcher was told of every change, once"
  ]
})

/** The most within any second. */
function peakOf(moments: ReadonlyArray<number>): number {
  let from = 0
  let peak = 0
  for (const [index, moment] of moments.entries()) {
    while (moments[from]! <= moment - 1_000) from++
    peak = Math.max(peak, index - from + 1)
  }
  return peak
}

const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

process.exitCode = (await runCommand(watchLoad)) ?? process.exitCode ?? 0
