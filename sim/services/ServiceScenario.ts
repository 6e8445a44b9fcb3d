/**
 * A scenario for a service of several processes with a Postgres database, in a few lines: `HttpApi`, `effect/rpc` and SQL as they are in
 * production, a client that asks, and the faults that such services meet. It runs on PGlite.
 *
 *   export const transfers = ServiceScenario.make({
 *     name: "transfers",
 *     story: "Money is moved once for each key.",
 *     schema: "create table accounts …",
 *     program: () => TransferService.serve,
 *     ask: (key, nth) => TransferService.transfer({ key, … }),
 *     observe: { accounts: "select id, balance from accounts order by id" },
 *     invariants: [whenCommitted({ of: "accounts", … })]
 *   })
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { AnyInvariant, Check } from "../../core/invariants/Invariant.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import { kindsOf } from "../nemesis/faultKinds.ts"
import { clockTag } from "../nemesis/kinds/clock.ts"
import { outages } from "../nemesis/kinds/outage.ts"
import { pause, victimTag } from "../nemesis/kinds/process.ts"
import * as SimHttpClient from "../network/SimHttpClient.ts"
import * as SimHttpServer from "../network/SimHttpServer.ts"
import { askedMarks, askedScenario, isAskedTwice, untilAnswered } from "../outside/askedScenario.ts"
import { cameUp, launched } from "../outside/launched.ts"
import { asks } from "../outside/asks.ts"
import { misuseOf, refusing } from "../outside/misuse.ts"
import { OutsideResource } from "../outside/OutsideResource.ts"
import { requireSql } from "../run/requireSql.ts"
import * as Scenario from "../run/Scenario.ts"
import type { SqlSetting } from "../storage/Databases.ts"

const database = "database"
/** Of every process, whose address is its name: "http://p1:8080". */
const port = 8080

/** What processes find: a server for others to reach them, clients of each other and of the database, and what every node has. */
export type Provided =
  | Layer.Success<ReturnType<typeof SimHttpServer.layer>>
  | HttpClient.HttpClient
  | SqlClient
  | SimNode

export interface ServiceScenarioOptions<E> extends Pick<Scenario.Scenario, "name" | "story" | "isAsync">, SqlSetting {
  /** What every process runs: its routes, served. `outside` is what it writes to besides its database. */
  readonly program: (outside: OutsideResource) => Layer.Layer<never, E, Provided>
  /**
   * What a client asks for by one key, of addresses that are paths: the same key asks for the same. Whatever fails is asked again after a
   * second, of the next process, and what was answered once more where `answersAgree` is to hold.
   */
  readonly ask: (key: string, nth: number) => Effect.Effect<unknown, unknown, HttpClient.HttpClient | SimNode>
  /** How often. Default 40. */
  readonly asks?: number
  /** How long the client waits for an answer before that, too, is a failure. Default 5 s. */
  readonly patienceMillis?: number
  /** How many processes, at least and at most. Default 2 and 3. */
  readonly processes?: readonly [minimum: number, maximum: number]
  readonly invariants: ReadonlyArray<Check | AnyInvariant>
  /** What may strike. Default: `kinds`. */
  readonly kinds?: ReadonlyArray<FaultKind>
  /** How long faults act. Default 60 s. */
  readonly safetyMillis?: number
  /** How long after the last fault everything must have been answered. Default: no matter. */
  readonly answeredWithinMillis?: number
}

export const make = <E>(options: ServiceScenarioOptions<E>): Scenario.Scenario => {
  const required = ["program", "ask", "invariants"]
  const problem = misuseOf({ maker: "ServiceScenario.make", sizedBy: "processes", required, options })
  if (problem !== undefined) return refusing(options, problem)
  const { answeredWithinMillis, invariants, kinds: allowed = kinds, safetyMillis = 60_000 } = options
  return Scenario.make({
    name: options.name,
    story: options.story,
    isAsync: options.isAsync ?? false,
    parameters: { processes: options.processes ?? [2, 3] },
    ...askedScenario({ kinds: allowed, safetyMillis, answeredWithinMillis }),
    build: (world, { processes }) => {
      const sql = requireSql(world)
      world.addNode(database, sql.make(world, options), { tags: [database, clockTag] }).start()
      const names = Array.from({ length: processes! }, (_, index) => `p${index + 1}`)
      const provided = Layer.mergeAll(SimHttpServer.layer({ port }), SimHttpClient.layer, sql.client({ database }))
      const program = launched(world, Layer.provide(options.program(new OutsideResource()), provided))
      for (const name of names) {
        world
          .addNode(name, program, {
            tags: ["service", victimTag, clockTag],
            onExit: { _tag: "Restart", afterMicros: 1_000_000 }
          })
          .start()
      }
      const how = { count: options.asks ?? 40, safetyMillis, isAskedTwice: isAskedTwice(invariants) }
      const asked = asks(world, how, (key, nth, attempt) =>
        Effect.timeout(
          at(names[(nth + attempt) % names.length]!, options.ask(key, nth)),
          options.patienceMillis ?? 5_000
        )
      )
      const mustEnd = answeredWithinMillis !== undefined
      world.addNode("client", Effect.provide(asked, SimHttpClient.layer), { tags: ["client"], mustEnd }).start()
      return untilAnswered(world)
    },
    invariants,
    marks: [cameUp, ...askedMarks(invariants)]
  })
}

/** Paths are those of this process, after whatever the program itself puts before them. */
const at = <A, E, R>(name: string, ask: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | HttpClient.HttpClient> =>
  Effect.updateService(ask, HttpClient.HttpClient, ({ postprocess, preprocess }) =>
    HttpClient.makeWith(
      (request) => postprocess(Effect.map(request, HttpClientRequest.prependUrl(`http://${name}:${port}`))),
      preprocess
    )
  )

/** Of the storage, what this server or its clients cannot suffer. */
const elsewhere: ReadonlyArray<string> = ["storage/pool-exhausted", "storage/failover", "storage/lost-notification"]

/** Of network, processes, clocks and the database; pauses and silences are drawn longer than what anybody waits. */
export const kinds: ReadonlyArray<FaultKind> = [
  ...kindsOf("network", "process", "clock", "storage").filter(
    ({ name }) => name !== pause.name && !elsewhere.includes(name)
  ),
  ...outages("services", database)
]
