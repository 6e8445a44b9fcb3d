/**
 * `npm run bench:takeover`: how long a cluster of three on this machine is without a leader, under load: the leader is killed
 * (SIGKILL) so many times, and stopped in order (SIGTERM) as often. From the signal until a survivor, asked every 10 ms, tells another
 * holder of the leader's lease.
 *
 * Meanwhile clients change fleets, each its own, one change after the other, spread over the nodes: an instance, no instance, and so on. A
 * change that is not answered is asked for again elsewhere, with the same key, until it is. In the end each fleet must come to what was
 * wanted last, and its generation must be the number of changes: one that was lost, or done twice after the next, shows.
 */
import { execFileSync } from "node:child_process"
import crypto from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import type { FleetView } from "../../../core/api/Views.ts"
import { make } from "../../../core/client/Client.ts"
import { fencedWord } from "../../../core/storage/makeStorage.ts"
import { calling } from "../remote/calling.ts"
import { type Key, readKey } from "../serve/keyStore.ts"
import { askNodes, untilTaken } from "../cluster/askNodes.ts"
import { addressesOf } from "../cluster/clusterCommand.ts"
import { type Member, readState, requireCluster, requireMember, requireRunning } from "../cluster/ClusterState.ts"
import { leaderAmong, nameOfHolder } from "../cluster/ClusterStatus.ts"
import { isReady } from "../cluster/isReady.ts"
import { attempt, runCommand } from "../runCommand.ts"
import { UsageError } from "../Usage.ts"
import { unstable } from "../../../core/fleet/unstable.ts"
import { followFleet } from "../remote/remoteCommands.ts"
import { table } from "../remote/table.ts"

const launcher = path.join(import.meta.dirname, "..", "stormglass.js")
const say = (line: string): void => void process.stderr.write(`${line}\n`)

const takeover = Command.make(
  "takeover",
  {
    times: Flag.Int("times").pipe(Flag.withDescription("How often each signal is sent"), Flag.withDefault(50)),
    clients: Flag.Int("clients").pipe(Flag.withDescription("How many change fleets"), Flag.withDefault(16)),
    signal: Flag.Literals("signal", ["SIGKILL", "SIGTERM"]).pipe(
      Flag.withDescription("Only this one. Default: both"),
      Flag.optional
    ),
    port: Flag.Int("port").pipe(Flag.withDescription("Of the first of three nodes"), Flag.withDefault(18_081)),
    profile: Flag.Literals("profile", ["default", "conservative"]).pipe(Flag.withDefault("default" as const))
  },
  ({ signal, ...options }) =>
    attempt(() =>
      takeoverCommand({
        ...options,
        signals: Option.match(signal, { onNone: () => signals, onSome: (only) => [only] })
      })
    )
).pipe(Command.withDescription("Measure how long a cluster is without a leader, and count lost and repeated changes"))

const signals = ["SIGKILL", "SIGTERM"] as const

interface Options {
  readonly signals: ReadonlyArray<(typeof signals)[number]>
  readonly times: number
  readonly clients: number
  readonly port: number
  readonly profile: "default" | "conservative"
}

async function takeoverCommand({ clients, port, profile, signals, times }: Options): Promise<void> {
  if (times < 1) throw new UsageError(`--times: ${times} is no number of times; the least is 1`)
  if (clients < 0) throw new UsageError(`--clients: ${clients} is no number of clients`)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-takeover-"))
  const cluster = (verb: string, ...args: ReadonlyArray<string>): string =>
    execFileSync(process.execPath, [launcher, "cluster", verb, ...args, "--directory", directory], {
      encoding: "utf8",
      // More than clients and lookers ask together.
      env: { ...process.env, STORMGLASS_RATE_PRINCIPAL: "100000/100000", STORMGLASS_RATE_PROJECT: "100000/100000" }
    })
  try {
    cluster("up", "--nodes", "3", "--agents", "1", "--port", String(port), "--profile", profile)
    const addresses = addressesOf(requireCluster(directory))
    const load = new Load(addresses, readKey(directory), clients)
    const rows: Array<ReadonlyArray<string>> = []
    for (const signal of signals) {
      const [millis, acquiredMillis]: [Array<number>, Array<number>] = [[], []]
      const fencedBefore = fencedIn(directory)
      for (let time = 1; time <= times; time++) {
        const { acquired, told } = await Promise.race([takenAfter(directory, signal), load.failed])
        millis.push(told)
        acquiredMillis.push(acquired)
        say(
          `${signal} ${time} of ${times}: ${told.toFixed(0)} ms; acquired after ${acquired.toFixed(0)} ms by the database's clock`
        )
      }
      const fenced = fencedIn(directory) - fencedBefore
      rows.push([signal, String(times), ...quantiles(millis), ...quantiles(acquiredMillis), String(fenced)])
    }
    const { changes, lost, repeated, unanswered } = await load.end()
    process.stdout.write(`${table(headings, rows)}\n\n`)
    process.stdout.write(
      `${clients} clients: ${changes} changes were acknowledged, ${lost} of them lost, ${repeated} done twice; ${unanswered} requests had to be repeated\n`
    )
    if (lost + repeated > 0) process.exitCode = 1
  } finally {
    if (readState(directory) !== undefined) cluster("down")
    fs.rmSync(directory, { recursive: true })
  }
}

const headings = "signal,times,least,median,worst,acquired: least,median,worst,writes refused by fences".split(",")

/** How many writes the nodes say their fences have refused, those of processes that are gone included. */
function fencedIn(directory: string): number {
  const { members } = requireCluster(directory)
  const logs = members.filter(({ kind }) => kind === "node").map(({ log }) => fs.readFileSync(log, "utf8"))
  return logs.reduce((sum, text) => sum + text.split(`${fencedWord}: `).length - 1, 0)
}

/** Once all nodes are ready and somebody leads: when a survivor tells of another leader, and when the lease was acquired, in ms after the signal. */
async function takenAfter(directory: string, signal: (typeof signals)[number]) {
  const addresses = addressesOf(requireCluster(directory))
  const leader = await settledLeader(addresses, readKey(directory))
  const member = requireMember(requireCluster(directory), nameOfHolder(leader.holder), "node")
  const survivors = addresses.filter((address) => address !== member.address)
  const taken = untilTaken(survivors, { key: readKey(directory), epoch: leader.epoch, withinMillis: 60_000 })
  const { pid } = requireRunning(member)
  const fromMillis = performance.now()
  const sentAtMillis = Date.now()
  process.kill(pid, signal)
  const lease = await taken
  const told = performance.now() - fromMillis
  if (lease === undefined) throw new Error(`nobody leads 60 s after ${member.name} was sent ${signal}`)
  await restarted(directory, member)
  return { told, acquired: lease.acquiredAtMicros / 1_000 - sentAtMillis }
}

async function settledLeader(addresses: ReadonlyArray<string>, key: Key | undefined) {
  let settledAt = performance.now() + settleMillis
  for (;;) {
    const ready = await Promise.all(addresses.map(isReady))
    const leader = leaderAmong(await askNodes(addresses, key))
    if (leader === undefined || !ready.every(Boolean)) {
      settledAt = performance.now() + settleMillis
    } else if (performance.now() > settledAt) return leader
    await sleep(100)
  }
}

async function restarted(directory: string, before: Member): Promise<void> {
  const running = () => requireMember(requireCluster(directory), before.name).running
  while (running() === null || running()?.pid === before.running?.pid) await sleep(50)
}

function quantiles(millis: ReadonlyArray<number>): ReadonlyArray<string> {
  const sorted = millis.toSorted((one, other) => one - other)
  return [0, Math.floor(sorted.length / 2), sorted.length - 1].map((index) => `${sorted[index]!.toFixed(0)} ms`)
}

const project = "load"
const answerTimeoutMillis = 2_000
/** A node that has just been started compiles for a while; a rolling restart waits as long. */
const settleMillis = 5_000
const repeatAfterMillis = 20
const stableWithinMillis = 60_000
const spec = { image: "load", size: "small" } as const

/** Clients that change fleets, from its making until its end. */
class Load {
  readonly #addresses: ReadonlyArray<string>
  readonly #key: Key | undefined
  readonly #acknowledged: Array<number>
  readonly #running: Promise<unknown>
  /** Rejects with what a client was refused. */
  readonly failed: Promise<never>
  #unanswered = 0
  #isEnding = false

  constructor(addresses: ReadonlyArray<string>, key: Key | undefined, clients: number) {
    this.#addresses = addresses
    this.#key = key
    this.#acknowledged = Array.from({ length: clients }, () => 0)
    this.#running = Effect.runPromise(
      Effect.gen({ self: this }, function* () {
        const nodes = yield* Effect.forEach(addresses, make)
        const each = this.#acknowledged.map((_, client) => this.#changing(client, nodes))
        yield* Effect.all(each, { concurrency: "unbounded", discard: true })
      }).pipe(Effect.provide(calling(key)))
    )
    this.failed = this.#running.then(() => new Promise<never>(() => {}))
    this.failed.catch(() => undefined)
  }

  async end() {
    this.#isEnding = true
    await this.#running
    let lost = 0
    let repeated = 0
    for (const [client, acknowledged] of this.#acknowledged.entries()) {
      const { desired, generation } = await this.#stable(client)
      lost += Math.max(0, acknowledged - generation) + (desired === desiredOf(acknowledged) ? 0 : 1)
      repeated += Math.max(0, generation - acknowledged)
    }
    const changes = this.#acknowledged.reduce((sum, each) => sum + each, 0)
    return { changes, lost, repeated, unanswered: this.#unanswered }
  }

  #changing(client: number, nodes: ReadonlyArray<Effect.Success<ReturnType<typeof make>>>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let change = 1; !this.#isEnding; change++) {
        const key = crypto.randomUUID()
        for (let ask = client; ; ask++) {
          const answer = yield* Effect.result(
            nodes[ask % nodes.length]!.fleets.put({
              query: {},
              params: { project, name: `fleet-${client}` },
              headers: { "idempotency-key": key },
              payload: { desired: desiredOf(change), spec }
            }).pipe(Effect.timeout(`${answerTimeoutMillis} millis`))
          )
          if (answer._tag === "Success") break
          if (isFinal(answer.failure))
            return yield* Effect.die(new Error(`a change was refused: ${answer.failure.message}`))
          this.#unanswered++
          yield* Effect.sleep(`${repeatAfterMillis} millis`)
        }
        this.#acknowledged[client] = change
      }
    })
  }

  /** Once it is as it is wanted. */
  async #stable(client: number): Promise<FleetView> {
    const remote = { addresses: this.#addresses, project, key: this.#key }
    let stable: FleetView | undefined
    await followFleet(remote, `fleet-${client}`, {
      forMillis: stableWithinMillis,
      onFleet: (fleet) => {
        if (unstable(fleet) === undefined) stable = fleet
        return stable !== undefined
      },
      onUnreached: () => undefined
    })
    if (stable !== undefined) return stable
    throw new Error(`fleet-${client} is not stable after ${stableWithinMillis / 1_000} s`)
  }
}

/** A conflict is none: the request that was not answered in time still runs. */
const isFinal = ({ _tag }: { readonly _tag: string }): boolean => ["BadRequest", "NotFound", "KeyReused"].includes(_tag)

function desiredOf(change: number): number {
  return change % 2
}

process.exitCode = (await runCommand(takeover)) ?? process.exitCode ?? 0
