/**
 * A process that takes a lease, writes in a fenced transaction and says "inside"; told to, by a line, it goes on with that
 * transaction and then tries another. For the test that stops it in between: `node StoppedHolder.fixture.ts <settings as JSON>`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import readline from "node:readline"
import * as Lease from "../../core/lease/Lease.ts"
import { add, eq } from "../../core/ports/Condition.ts"
import { Storage, type StorageError, type Transaction } from "../../core/ports/Storage.ts"
import { accounts, leaseKey, profile, tables } from "./Takeover.fixture.ts"
import * as PostgresStorage from "./PostgresStorage.ts"

const settings = JSON.parse(process.argv[2]!) as { readonly port: number; readonly database: string; password: string }
const connection = { ...settings, host: "127.0.0.1", username: "postgres", password: Redacted.make(settings.password) }
const lines = readline.createInterface({ input: process.stdin })
const say = (line: string) => Effect.sync(() => console.log(line))
const told = Effect.callback<void>((resume) => {
  lines.once("line", () => resume(Effect.void))
})

const deposit = (t: Transaction) =>
  t.update(accounts, { where: (row) => eq(row.id, 1), set: (row) => ({ value: add(row.value, 1) }) })

const saying = <A>(effect: Effect.Effect<A, StorageError, Storage>) =>
  Effect.flatMap(Effect.match(effect, { onSuccess: () => "committed", onFailure: ({ reason }) => reason._tag }), say)

const program = Effect.gen(function* () {
  const { once, transaction } = yield* Storage
  const [kept] = yield* Lease.acquire(once, { keys: [leaseKey], holder: "first", profile })
  const options = { label: "deposit", fences: [kept!.fence] }
  const inside = (t: Transaction) =>
    Effect.andThen(deposit(t), Effect.andThen(say("inside"), Effect.andThen(told, deposit(t))))
  yield* saying(transaction(inside, options))
  yield* saying(once(deposit, options))
  lines.close()
})

// What it says is read line by line.
const quiet = Logger.layer([])
await Effect.runPromise(Effect.provide(program, Layer.merge(PostgresStorage.layer({ connection, tables }), quiet)))
