/**
 * `npm run bench:http`: idempotent requests through HTTP to one node on real Postgres, beside their generator on the same machine: new
 * keys, then the same keys again. In the same run the bare SQL of the same work, without a node.
 *
 * Besides rates and latencies, the processor time that each party takes for one request: it depends little on who else shares the machine.
 * Linux only, as that is where it is read. Every request must be accepted; a bench that counts refusals measures something else.
 */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { make } from "../../postgres/EmbeddedPostgres.ts"
import { table } from "../remote/table.ts"
import { attempt, runCommand } from "../runCommand.ts"
import { UsageError } from "../Usage.ts"
import { HttpLane } from "./HttpLane.ts"
import { nodeProcess } from "./nodeProcess.ts"
import { processorMicros } from "./processorTime.ts"
import { makeRequestByHand } from "./requestByHand.ts"

const load = Command.make(
  "load",
  {
    requests: Flag.Int("requests").pipe(Flag.withDescription("How many keys in each round"), Flag.withDefault(20_000)),
    clients: Flag.Int("clients").pipe(
      Flag.withDescription("Connections, each one request at a time"),
      Flag.withDefault(32)
    ),
    port: Flag.Int("port").pipe(Flag.withDescription("Of the node"), Flag.withDefault(18_777)),
    fsync: Flag.Boolean("fsync").pipe(
      Flag.withDescription("Postgres waits for the disk, as in production"),
      Flag.withDefault(false)
    ),
    roles: Flag.String("roles").pipe(
      Flag.withDescription("Of the node; api: nobody works on the new instances"),
      Flag.withDefault("api,worker")
    ),
    profile: Flag.String("profile").pipe(
      Flag.withDescription("Directory for the node's processor profile"),
      Flag.withDefault("")
    )
  },
  (options) => attempt(() => loadCommand(options))
).pipe(Command.withDescription("Measure idempotent requests through HTTP, and the bare SQL of the same work"))

interface Options {
  readonly requests: number
  readonly clients: number
  readonly port: number
  readonly fsync: boolean
  readonly roles: string
  readonly profile: string
}

/** Processor time for one request, in microseconds. */
interface Parties {
  readonly node: number
  readonly postgres: number
  readonly generator: number
}

interface Measured {
  readonly perSecond: number
  readonly medianMillis: number
  readonly slowestOfHundredMillis: number
  readonly micros: Parties
}

async function loadCommand(options: Options): Promise<void> {
  if (options.requests < 1 || options.clients < 1) throw new UsageError("--requests, --clients: at least 1")
  const rounds = await Effect.runPromise(Effect.scoped(measure(options)))
  const rows = Object.entries(rounds).map(([name, { medianMillis, micros, perSecond, slowestOfHundredMillis }]) => [
    name,
    perSecond.toFixed(0),
    `${medianMillis.toFixed(1)} ms`,
    `${slowestOfHundredMillis.toFixed(1)} ms`,
    ...[micros.node, micros.postgres, micros.generator].map((each) => `${each.toFixed(0)} us`)
  ])
  const head = ["", "per second", "median", "p99", "node", "Postgres", "generator"]
  const ratio = (through: Measured, bare: Measured) => (through.perSecond / bare.perSecond).toFixed(2)
  process.stdout.write(`${table(head, rows)}\n`)
  process.stdout.write(`to the bare SQL: new keys ${ratio(rounds["new keys"], rounds["bare SQL, new keys"])}, `)
  process.stdout.write(`replays ${ratio(rounds.replays, rounds["bare SQL, replays"])}\n`)
}

const measure = Effect.fnUntraced(function* (options: Options) {
  const server = yield* make({ fsync: options.fsync })
  const postgres = (yield* server.pid)!
  const node = yield* nodeProcess(server, options)
  const cpu = (): Parties => {
    const { system, user } = process.cpuUsage()
    return { node: processorMicros(node), postgres: processorMicros(postgres), generator: system + user }
  }
  const through = (round: string) =>
    Effect.promise(async () => {
      const lanes = Array.from({ length: options.clients }, () => new HttpLane(options.port))
      const measured = await inLanes(options, cpu, async (lane, nth) => {
        const body = `{"name":"${round}-${nth}","spec":{"image":"web:1","size":"small"}}`
        const status = await lanes[lane]!.post("/v1/projects/bench/instances", `${round}-${nth}`, body)
        if (status !== 202) throw new Error(`request ${nth} was answered ${status}`)
      })
      for (const lane of lanes) lane.close()
      return measured
    })
  const { create, replay } = yield* makeRequestByHand(server.connection)
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const bare = (each: (nth: number) => Effect.Effect<unknown, unknown>) =>
    Effect.promise(() => inLanes(options, cpu, (_, nth) => run(each(nth))))
  yield* through("warm")
  yield* bare((nth) => create(`warm-${nth}`, `warm-${nth}`))
  return {
    "new keys": yield* through("new"),
    replays: yield* through("new"),
    "bare SQL, new keys": yield* bare((nth) => create(`new-${nth}`, `new-${nth}`)),
    "bare SQL, replays": yield* bare((nth) => replay(`new-${nth}`))
  }
})

async function inLanes(
  { clients, requests }: Options,
  cpu: () => Parties,
  ask: (lane: number, nth: number) => Promise<unknown>
): Promise<Measured> {
  const millis: Array<number> = []
  let nth = 0
  const before = cpu()
  const from = performance.now()
  const lane = async (number: number): Promise<void> => {
    while (nth < requests) {
      const own = nth++
      const asked = performance.now()
      await ask(number, own)
      millis.push(performance.now() - asked)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, number) => lane(number)))
  const seconds = (performance.now() - from) / 1_000
  const after = cpu()
  millis.sort((left, right) => left - right)
  return {
    perSecond: requests / seconds,
    medianMillis: millis[Math.floor(requests / 2)]!,
    slowestOfHundredMillis: millis[Math.floor(requests * 0.99)]!,
    micros: {
      node: (after.node - before.node) / requests,
      postgres: (after.postgres - before.postgres) / requests,
      generator: (after.generator - before.generator) / requests
    }
  }
}

process.exitCode = (await runCommand(load)) ?? process.exitCode ?? 0
