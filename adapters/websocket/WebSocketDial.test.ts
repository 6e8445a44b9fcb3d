import * as Net from "node:net"
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Socket from "effect/socket/Socket"
import * as Dial from "../../core/ports/Dial.ts"
import * as WebSocketDial from "./WebSocketDial.ts"

/** A server made by hand, closed with the scope; returns its port. */
const listen = (onConnection: (socket: Net.Socket) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Net.Server>((resume) => {
        const server = Net.createServer(onConnection)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as Net.AddressInfo).port
  )

/** Opens a connection and reads to its end. */
const readAll = (address: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const socket = yield* Dial.dial(address, { headers })
    const { pull } = yield* socket.reader
    return yield* Effect.forever(pull)
  }).pipe(Effect.scoped, Effect.flip, Effect.provide(WebSocketDial.layer({ openTimeoutMillis: 2_000 })))

const why = (error: Socket.SocketError): string => {
  const failed = Dial.dialErrorOf(error)
  return failed === undefined ? error.reason._tag : failed.message
}

/** Upgrades, sends these bytes as frames, and keeps what comes. */
const upgrading = (frames: ReadonlyArray<number>, heard: Array<Buffer>) => (socket: Net.Socket) => {
  socket.once("data", (request) => {
    const key = /Sec-WebSocket-Key: (.*)\r\n/i.exec(request.toString("latin1"))?.[1]
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    )
    socket.write(Uint8Array.from(frames))
    socket.on("data", (bytes) => heard.push(bytes))
    socket.on("error", () => undefined)
  })
}

/** The code of a close frame that a client sent. */
const closeCodeOf = (frame: Buffer | undefined): number => {
  if (frame === undefined || frame[0] !== 0x88) return 0
  const unmasked = Uint8Array.from([frame[6]! ^ frame[2]!, frame[7]! ^ frame[3]!])
  return unmasked[0]! * 256 + unmasked[1]!
}

describe("dialling", () => {
  it.live("what is no address, or with headers that are none, fails before anything is tried", () =>
    Effect.gen(function* () {
      assert.strictEqual(why(yield* readAll("localhost")), "localhost: is no URL; write ws://host:port/path")
      assert.strictEqual(
        why(yield* readAll("http://localhost")),
        "http://localhost: has the scheme http: instead of ws: or wss:"
      )
      assert.match(why(yield* readAll("ws://localhost", { "x-name": "a\nb" })), /^ws:\/\/localhost: Invalid character/)
    })
  )

  it.live("what is no WebSocket server fails with what was wrong", () =>
    Effect.gen(function* () {
      const silent = yield* listen(() => undefined)
      assert.match(why(yield* readAll(`ws://127.0.0.1:${silent}`)), /no answer within 2000 ms$/)
      const babbling = yield* listen((socket) => void socket.end("what?\r\n\r\n"))
      assert.match(why(yield* readAll(`ws://127.0.0.1:${babbling}`)), /unreachable: HPE_/)
      assert.match(why(yield* readAll(`wss://127.0.0.1:${babbling}`)), /unreachable: /)
      const busy = yield* listen((socket) => void socket.end("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
      assert.match(why(yield* readAll(`ws://127.0.0.1:${busy}`)), /no upgrade: status 503$/)
      const moved = yield* listen((socket) => void socket.end("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"))
      assert.match(why(yield* readAll(`ws://127.0.0.1:${moved}`)), /no upgrade: status 302$/)
    }).pipe(Effect.scoped)
  )

  it.live("a peer that takes nothing keeps its writer waiting, and its buffer small", () =>
    Effect.gen(function* () {
      const peers: Array<Net.Socket> = []
      const port = yield* listen((socket) => {
        peers.push(socket)
        upgrading([], [])(socket)
        socket.once("data", () => setImmediate(() => socket.pause()))
      })
      let written = 0
      const writing = Effect.gen(function* () {
        const socket = yield* Dial.dial(`ws://127.0.0.1:${port}`, { headers: {} })
        yield* socket.reader
        const { write } = yield* socket.writer
        for (; written < 1_024; written++) yield* write(new Uint8Array(65_536))
      }).pipe(Effect.scoped, Effect.provide(WebSocketDial.layer()))
      const fiber = yield* Effect.forkScoped(writing)
      // Nothing more is written for a while: it waits, or it is done.
      for (let still = 0, before = -1; still < 20; still = written === before && written > 0 ? still + 1 : 0) {
        before = written
        yield* Effect.sleep(10)
      }
      assert.isBelow(written, 512, "as much as the kernel takes")
      peers[0]?.resume()
      yield* Fiber.join(fiber)
      assert.strictEqual(written, 1_024)
    }).pipe(Effect.scoped)
  )

  it.live("a peer that breaks the protocol is told which way: 1002, 1007", () =>
    Effect.gen(function* () {
      for (const [frames, code] of [
        // A reserved operation code.
        [[0x83, 0], 1002],
        // A text that is no UTF-8.
        [[0x81, 2, 0xc3, 0x28], 1007]
      ] as const) {
        const heard: Array<Buffer> = []
        const port = yield* listen(upgrading(frames, heard))
        const error = yield* readAll(`ws://127.0.0.1:${port}`)
        assert.strictEqual(error.reason._tag, "SocketReadError")
        while (heard.length === 0) yield* Effect.sleep(5)
        assert.strictEqual(closeCodeOf(heard[0]), code)
      }
    }).pipe(Effect.scoped)
  )
})
