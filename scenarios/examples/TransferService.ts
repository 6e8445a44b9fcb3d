/**
 * A small service that somebody may have written without ever having heard of a simulator: transfers between accounts in Postgres, by HTTP
 * and by remote calls, each with a key of its client's, so that it can be repeated. It knows nothing of the simulated world.
 */
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"

export const schema = `
  create table accounts (id text primary key, balance int not null check (balance >= 0));
  create table transfers (
    key text primary key, source text not null references accounts, target text not null references accounts,
    amount int not null, done boolean not null default true);
  insert into accounts select 'a' || nth, 100 from generate_series(0, 4) as nth`

const Transfer = Schema.Struct({ source: Schema.String, target: Schema.String, amount: Schema.Int })
const Outcome = Schema.Literals(["done", "not covered"])

interface Ordered extends Schema.Schema.Type<typeof Transfer> {
  readonly key: string
}

/** Whether it was done is not known. */
class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {}, { httpApiStatus: 503 }) {}

class Transfers extends HttpApiGroup.make("transfers").add(
  HttpApiEndpoint.put("transfer", "/transfers/:key", {
    params: { key: Schema.String },
    payload: Transfer,
    success: Outcome,
    error: Unavailable
  })
) {}

class TransferApi extends HttpApi.make("transfer").add(Transfers) {}

class TransferRpcs extends RpcGroup.make(
  Rpc.make("transfer", {
    payload: { key: Schema.String, ...Transfer.fields },
    success: Outcome,
    error: Unavailable
  })
) {}

const recorded = (sql: SqlClient, key: string) =>
  Effect.map(sql<{ done: boolean }>`select done from transfers where key = ${key}`, ([row]) =>
    row === undefined ? undefined : outcomeOf(row.done)
  )

const outcomeOf = (isDone: boolean) => (isDone ? "done" : "not covered")

const move = Effect.fnUntraced(function* (sql: SqlClient, { amount, key, source, target }: Ordered) {
  const from = yield* sql`
    update accounts set balance = balance - ${amount} where id = ${source} and balance >= ${amount} returning id`
  const isDone = from.length > 0
  if (isDone) yield* sql`update accounts set balance = balance + ${amount} where id = ${target}`
  else yield* sql`update transfers set done = false where key = ${key}`
  return outcomeOf(isDone)
})

const record = (sql: SqlClient, { amount, key, source, target }: Ordered) => sql`
  insert into transfers ${sql.insert({ key, source, target, amount })} on conflict (key) do nothing returning key`

/** Whoever writes the key moves the money, in one transaction. */
const transferOnce = (sql: SqlClient, order: Ordered) =>
  sql.withTransaction(
    Effect.gen(function* () {
      const mine = yield* record(sql, order)
      if (mine.length === 0) return (yield* recorded(sql, order.key)) ?? (yield* new Unavailable())
      return yield* move(sql, order)
    })
  )

/** As it is often written: the key is looked up, and if nobody has it the money is moved. */
const transferUnlessRecorded = Effect.fnUntraced(function* (sql: SqlClient, order: Ordered) {
  const before = yield* recorded(sql, order.key)
  if (before !== undefined) return before
  return yield* sql.withTransaction(Effect.andThen(record(sql, order), move(sql, order)))
})

/** `looksUp`: where the key is looked up, in the transaction that moves the money or before it. */
export const serve = (options: { readonly looksUp: "within" | "before" }) => {
  const transfer = Effect.fnUntraced(function* (order: Ordered) {
    const sql = yield* SqlClient
    const transferred = options.looksUp === "within" ? transferOnce(sql, order) : transferUnlessRecorded(sql, order)
    return yield* Effect.mapError(transferred, () => new Unavailable())
  })
  const api = HttpApiBuilder.layer(TransferApi).pipe(
    Layer.provide(
      HttpApiBuilder.group(TransferApi, "transfers", (handlers) =>
        handlers.handle("transfer", ({ params, payload }) => transfer({ ...params, ...payload }))
      )
    )
  )
  const rpcs = RpcServer.layerHttp({ group: TransferRpcs, path: "/rpc", protocol: "http" }).pipe(
    Layer.provide([TransferRpcs.toLayer({ transfer }), RpcSerialization.layerNdjson])
  )
  return HttpRouter.serve(Layer.merge(api, rpcs), { disableListenLog: true, disableLogger: true })
}

export const transferByApi = ({ key, ...payload }: Ordered) =>
  Effect.flatMap(HttpApiClient.make(TransferApi), ({ transfers }) => transfers.transfer({ params: { key }, payload }))

export const transferByRpc = (order: Ordered) =>
  RpcClient.make(TransferRpcs).pipe(
    Effect.flatMap((client) => client.transfer(order)),
    Effect.provide(RpcClient.layerProtocolHttp({ url: "/rpc" }).pipe(Layer.provide(RpcSerialization.layerNdjson))),
    Effect.scoped
  )
