/**
 * Effect's `SocketServer` on simulated connections: what `NodeSocketServer` is in production. Listens from the start; who connects
 * before `run` waits for it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { addressOf } from "./addressOf.ts"
import { ByteStream } from "./ByteStream.ts"
import { listen } from "./Connection.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"
import { fromStream } from "./SimSocket.ts"

export interface Options {
  readonly port: number
}

/** Fails when something listens to the port already. */
export const make = (
  options: Options
): Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope | SimNode> =>
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const network = yield* CurrentNetwork
    const waiting = new Set<ByteStream>()
    const wait = (stream: ByteStream): void => {
      waiting.add(stream)
    }
    let take = wait

    const listening = Effect.try({
      try: () =>
        listen(network, node, options.port, (end) => {
          const [stream, handlers] = ByteStream.accept(end)
          take(stream)
          return handlers
        }),
      catch: (cause) =>
        new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) })
    })
    yield* Effect.acquireRelease(listening, (stop) =>
      Effect.sync(() => {
        stop()
        for (const stream of waiting) stream.destroy()
      })
    )

    const run = Effect.fnUntraced(function* <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) {
      const scope = yield* Scope.make()
      const services = Context.omit(Scope.Scope)(yield* Effect.context<R>()) as Context.Context<R>
      const serve = (stream: ByteStream): void => {
        const open = Effect.suspend(() =>
          stream.isEnded && stream.failure !== undefined ? Effect.fail(stream.failure) : Effect.succeed(stream)
        )
        const serving = handler(fromStream(open)).pipe(
          Effect.ignoreCause({ log: "Unhandled", message: "Unhandled error in SocketServer" })
        )
        Fiber.runIn(Effect.runForkWith(services)(serving), scope)
      }
      const before = take
      take = serve
      for (const stream of waiting) serve(stream)
      waiting.clear()
      return yield* Effect.callback<never>(() =>
        Effect.suspend(() => {
          take = before
          return Scope.close(scope, Exit.void)
        })
      )
    })
    return SocketServer.SocketServer.of({ address: addressOf(node, options.port), run })
  })

export const layer = (
  options: Options
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError, SimNode> =>
  Layer.effect(SocketServer.SocketServer, make(options))
