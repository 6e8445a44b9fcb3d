/**
 * `npm run bench:ledger`: a ledger of many rows on real Postgres, and how long each round takes that the nodes of an idle control plane
 * repeat.
 *
 * Rounds go through the storage port as in production. `tick` is all that is asked within a second by a node that has every bucket and leads.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as ControlPlane from "../../../core/ControlPlane.ts"
import { fleetStatusIntervalMillis, fleetStatusRecountMillis } from "../../../core/Limits.ts"
import { Storage } from "../../../core/ports/Storage.ts"
import type { Table } from "../../../core/ports/Table.ts"
import { make } from "../../postgres/EmbeddedPostgres.ts"
import { migrate } from "../../postgres/migrate.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import { table } from "../remote/table.ts"
import { attempt, runCommand } from "../runCommand.ts"
import { UsageError } from "../Usage.ts"
import { fillLedger, idleRounds } from "./idleTick.ts"

const ledger = Command.make(
  "ledger",
  {
    rows: Flag.Int("rows").pipe(
      Flag.withDescription("Instances, and as many idempotency keys and events; a fleet for each thousand"),
      Flag.withDefault(1_000_000)
    ),
    times: Flag.Int("times").pipe(Flag.withDescription("How often each round is run"), Flag.withDefault(25))
  },
  (options) => attempt(() => ledgerCommand(options))
).pipe(Command.withDescription("Measure what an idle control plane asks of a ledger of many rows"))

/** The next count of fleets would be one of all of them. */
const timesMax = Math.floor(fleetStatusRecountMillis / fleetStatusIntervalMillis) - 1

async function ledgerCommand(options: { readonly rows: number; readonly times: number }): Promise<void> {
  const { rows, times } = options
  if (rows < 1_000) throw new UsageError(`--rows: ${rows} is too few; the least is 1000`)
  if (times < 1 || times > timesMax) throw new UsageError(`--times: ${times} is not among 1 to ${timesMax}`)
  const measured = await Effect.runPromise(Effect.scoped(measure(rows, times)))
  const lines = [...measured].map(([name, millis]) => {
    const sorted = millis.toSorted((left, right) => left - right)
    return [name, `${sorted[Math.floor(sorted.length / 2)]!.toFixed(1)} ms`, `${sorted.at(-1)!.toFixed(1)} ms`]
  })
  process.stdout.write(`${table(["", "median", "worst"], lines)}\n`)
}

const measure = Effect.fnUntraced(function* (rows: number, times: number) {
  const { connection } = yield* make()
  yield* migrate({ connection })
  const session = yield* PgConnection.make(connection)
  for (const statement of [...fillLedger(rows, Math.floor(rows / 1_000)), "vacuum analyze"]) {
    yield* session.query(statement, [], false)
  }
  const tables = ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>
  const storage = Context.get(yield* Layer.build(PostgresStorage.layer({ connection, tables })), Storage)
  const {
    "fleet status": status,
    "fleet status, all": all,
    ...rounds
  } = yield* Effect.provideService(idleRounds, Storage, storage)
  const millis = new Map<string, Array<number>>()
  const timed = (name: string, round: Effect.Effect<unknown, unknown, Storage>) =>
    Effect.gen(function* () {
      const from = performance.now()
      yield* Effect.provideService(round, Storage, storage)
      const taken = performance.now() - from
      millis.set(name, [...(millis.get(name) ?? []), taken])
      return taken
    })
  yield* timed("fleet status, all", all)
  for (let time = 0; time < times; time++) {
    let tick = 0
    for (const [name, round] of Object.entries({ ...rounds, "fleet status": status })) tick += yield* timed(name, round)
    millis.set("tick", [...(millis.get("tick") ?? []), tick])
  }
  return millis
})

process.exitCode = (await runCommand(ledger)) ?? process.exitCode ?? 0
