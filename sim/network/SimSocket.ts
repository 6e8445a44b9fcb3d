/**
 * Effect's `Socket` on simulated connections: what `NodeSocket` is in production. A socket connects when its reader is acquired;
 * writes wait until then.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { ByteStream } from "./ByteStream.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"

export interface Options {
  /** The name of the node to connect to. */
  readonly host: string
  readonly port: number
  readonly openTimeoutMillis?: number
}

/** Connects anew each time a reader is acquired. */
export const make = (options: Options): Effect.Effect<Socket.Socket, never, SimNode> =>
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const network = yield* CurrentNetwork
    const connecting = ByteStream.connect(network, node, options.host, options.port)
    return fromStream(
      options.openTimeoutMillis === undefined
        ? connecting
        : Effect.timeoutOrElse(connecting, {
            duration: options.openTimeoutMillis,
            orElse: () => Effect.fail(openTimeout())
          })
    )
  })

export const layer = (options: Options): Layer.Layer<Socket.Socket, never, SimNode> =>
  Layer.effect(Socket.Socket, make(options))

/** The contract of `NodeSocket.fromDuplex`, without TLS: upgrades are refused. */
export const fromStream = (open: Effect.Effect<ByteStream, Socket.SocketError>): Socket.Socket => {
  let current: ByteStream | undefined
  const isOpen = Latch.makeUnsafe(false)

  const reader = Effect.gen(function* () {
    const stream = yield* Effect.acquireRelease(
      open,
      (opened) =>
        Effect.sync(() => {
          opened.close(1006)
          current = undefined
          isOpen.closeUnsafe()
        }),
      { interruptible: true }
    )
    current = stream
    isOpen.openUnsafe()
    return { pull: stream.read, upgrade: Socket.SocketUpgradeError.unsupported }
  })

  const write = (chunk: Uint8Array | string | Socket.CloseEvent): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() => {
      if (current === undefined) return isOpen.whenOpen(write(chunk))
      if (!Socket.isCloseEvent(chunk)) return current.write(chunk)
      current.close(chunk.code)
      return Effect.void
    })

  const writer = Effect.acquireRelease(
    Effect.succeed({
      write,
      writeAll: (chunks: ReadonlyArray<Uint8Array | string>) => Effect.forEach(chunks, write, { discard: true })
    }),
    () => Effect.sync(() => current?.finish())
  )
  return Socket.make({ reader, writer })
}

function openTimeout(): Socket.SocketError {
  const cause = new Error("Connection timed out")
  return new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Timeout", cause }) })
}
