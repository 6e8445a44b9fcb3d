/**
 * One group of remote calls and its server, written against nothing but Effect's interfaces: the tests run it on Node's sockets and in the
 * simulator.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}

class AccountRpcs extends RpcGroup.make(
  Rpc.make("deposit", { payload: { amount: Schema.Int }, success: Schema.Int }),
  Rpc.make("withdraw", { payload: { amount: Schema.Int }, success: Schema.Int, error: Overdrawn }),
  Rpc.make("countDown", { payload: { from: Schema.Int }, success: Schema.Int, stream: true })
) {}

const handle = (balance: { value: number }) =>
  AccountRpcs.toLayer({
    deposit: ({ amount }) =>
      Effect.sync(() => {
        balance.value += amount
        return balance.value
      }),
    withdraw: ({ amount }) =>
      Effect.suspend(() => {
        if (amount > balance.value) return Effect.fail(new Overdrawn({ balance: balance.value }))
        balance.value -= amount
        return Effect.succeed(balance.value)
      }),
    countDown: ({ from }) => Stream.map(Stream.range(1, from), (nth) => from - nth)
  })

/** Serves the account on whatever `SocketServer` is provided; the balance outlives the server. */
export const serve = (balance: { value: number }) =>
  RpcServer.layer(AccountRpcs).pipe(
    Layer.provide(handle(balance)),
    Layer.provide(RpcServer.layerProtocolSocketServer),
    Layer.provide(RpcSerialization.layerNdjson)
  )

/** Serves the account at /account to those who upgrade, on whatever `HttpServer` is provided. */
export const serveUpgraded = (balance: { value: number }) =>
  RpcServer.layer(AccountRpcs).pipe(
    Layer.provide(handle(balance)),
    Layer.provide(RpcServer.layerProtocolWebsocket({ path: "/account" })),
    Layer.provide(RpcSerialization.layerNdjson),
    (routes) => HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true })
  )

export const client = RpcClient.make(AccountRpcs)

/** What the client needs besides a `Socket`. */
export const clientProtocol = RpcClient.layerProtocolSocket({ retryTransientErrors: true }).pipe(
  Layer.provide(RpcSerialization.layerNdjson)
)

/** Deposits 5, withdraws 3, fails to withdraw 9, and counts down from 3. */
export const session = Effect.gen(function* () {
  const account = yield* client
  const deposited = yield* account.deposit({ amount: 5 })
  const withdrawn = yield* account.withdraw({ amount: 3 })
  const refused = yield* Effect.flip(account.withdraw({ amount: 9 }))
  const counted = yield* Stream.runCollect(account.countDown({ from: 3 }))
  return { deposited, withdrawn, refused: refused._tag, counted: [...counted] }
}).pipe(Effect.scoped)

/** What a session is told of an account that was empty. */
export const told = { deposited: 5, withdrawn: 2, refused: "Overdrawn", counted: [2, 1, 0] }
