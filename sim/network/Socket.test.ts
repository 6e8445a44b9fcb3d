import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as fc from "fast-check"
import { World } from "../run/World.ts"
import * as SimSocket from "./SimSocket.ts"
import * as SimSocketServer from "./SimSocketServer.ts"

/** Answers each line with the same in capitals, and closes when it reads "bye". */
const shouting = Effect.flatMap(SocketServer.SocketServer, (server) =>
  server.run((socket) =>
    Effect.gen(function* () {
      const pull = yield* Socket.readerString(socket)
      const { write } = yield* socket.writer
      let rest = ""
      for (;;) {
        rest += (yield* pull).join("")
        const lines = rest.split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) {
          if (line === "bye") return
          yield* write(`${line.toUpperCase()}\n`)
        }
      }
    }).pipe(Effect.scoped)
  )
)

/** Sends the lines, each so long after the one before, reads until the end, and returns what came and how it ended. */
const converse = (lines: ReadonlyArray<string>, pauseMillis = 0) =>
  Effect.gen(function* () {
    const socket = yield* Socket.Socket
    const pull = yield* Socket.readerString(socket)
    const { write } = yield* socket.writer
    for (const line of lines) {
      yield* write(`${line}\n`)
      yield* Effect.sleep(pauseMillis)
    }
    let heard = ""
    for (;;) {
      const chunk = yield* Effect.result(pull)
      if (chunk._tag === "Failure") return { heard, end: describeEnd(chunk.failure) }
      heard += chunk.success.join("")
    }
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SocketError", (error) => Effect.succeed({ heard: "", end: describeEnd(error) }))
  )

const describeEnd = ({ reason }: Socket.SocketError): string => {
  switch (reason._tag) {
    case "SocketCloseError":
      return `closed ${reason.code}`
    case "SocketUpgradeError":
      return "upgrade"
    default:
      return `${reason._tag} ${(reason.cause as { code?: string }).code ?? ""}`
  }
}

interface Conversation {
  readonly heard: string
  readonly end: string
}

const makeWorld = (seed = "1") => {
  const world = new World({ seed })
  const ended: Array<Conversation> = []
  const serving = Effect.provide(shouting, SimSocketServer.layer({ port: 7000 }))
  const server = world.addNode("server", serving)
  const addClient = (
    lines: ReadonlyArray<string>,
    options: { readonly port?: number; readonly pauseMillis?: number } = {}
  ) =>
    world.addNode(
      "client",
      converse(lines, options.pauseMillis).pipe(
        Effect.tap((conversation) => Effect.sync(() => ended.push(conversation))),
        Effect.provide(SimSocket.layer({ host: "server", port: options.port ?? 7000 }))
      )
    )
  return { world, ended, server, addClient }
}

describe("Effect's sockets", () => {
  const lines = ["a", "bc", "def", "bye"]
  const shouted: Conversation = { heard: "A\nBC\nDEF\n", end: "closed 1000" }

  it.live("converse on Node", () =>
    Effect.gen(function* () {
      const { address } = yield* SocketServer.SocketServer
      if (!("port" in address)) return assert.fail("no port")
      const serving = yield* Effect.forkChild(shouting)
      const socket = NodeSocket.layerNet({ host: "127.0.0.1", port: address.port })
      assert.deepStrictEqual(yield* Effect.provide(converse(lines), socket), shouted)
      yield* Fiber.interrupt(serving)
      const closed = NodeSocket.layerNet({ host: "127.0.0.1", port: 1 })
      assert.strictEqual((yield* Effect.provide(converse([]), closed)).end, "SocketOpenError ECONNREFUSED")
    }).pipe(Effect.provide(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })))
  )

  it("converse the same in the simulator, and are refused the same", () => {
    const { world, ended, server, addClient } = makeWorld()
    server.start()
    world.run("10ms")
    addClient(lines).start()
    world.run("1s")
    assert.deepStrictEqual(ended, [shouted])
    const other = makeWorld()
    other.server.start()
    other.addClient([], { port: 7001 }).start()
    other.world.run("1s")
    assert.deepStrictEqual(other.ended, [{ heard: "", end: "SocketOpenError ECONNREFUSED" }])
  })

  it("bring every byte, in order, whatever the writes and however they come in pieces", () =>
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { maxLength: 20 }),
        fc.nat(),
        (texts, seed) => {
          const clean = texts.map((text) => text.replaceAll("\n", "")).filter((text) => text !== "bye")
          const { world, ended, server, addClient } = makeWorld(String(seed))
          world.network.latency = { minimumMicros: 1_000, maximumMicros: 50_000, stepMicros: 1 }
          server.start()
          world.run("10ms")
          addClient([...clean, "bye"]).start()
          world.run("10s")
          assert.deepStrictEqual(ended, [
            { heard: clean.map((text) => `${text.toUpperCase()}\n`).join(""), end: "closed 1000" }
          ])
        }
      ),
      { numRuns: 40 }
    ))

  it("a peer that dies says nothing; when it is back it resets what it does not know", () => {
    const { world, ended, server, addClient } = makeWorld()
    server.start()
    world.run("10ms")
    addClient(["a", "b"], { pauseMillis: 5_000 }).start()
    world.run("1s")
    server.crash("killed")
    world.run("1s")
    server.start()
    world.run("2s")
    assert.deepStrictEqual(ended, [], "nothing was sent since, so nothing is noticed")
    world.run("10s")
    assert.deepStrictEqual(ended, [{ heard: "", end: "SocketReadError ECONNRESET" }])
  })

  it("a writer waits for a reader that does not read (window of 256 KiB), and goes on when it does", () => {
    const world = new World({ seed: "1" })
    let written = 0
    let isReading = false
    const chunk = new Uint8Array(65_536)
    const reader = Effect.flatMap(SocketServer.SocketServer, (listening) =>
      listening.run((socket) =>
        Effect.gen(function* () {
          const { pull } = yield* socket.reader
          yield* Effect.sleep("10 seconds")
          isReading = true
          for (;;) yield* pull
        }).pipe(Effect.scoped)
      )
    )
    const writer = Effect.gen(function* () {
      const socket = yield* Socket.Socket
      yield* socket.reader
      const { write } = yield* socket.writer
      for (; written < 20; written++) yield* write(chunk)
      return yield* Effect.never
    }).pipe(Effect.scoped, Effect.provide(SimSocket.layer({ host: "reader", port: 1 })))
    world.addNode("reader", Effect.provide(reader, SimSocketServer.layer({ port: 1 }))).start()
    world.run("10ms")
    world.addNode("writer", writer).start()
    world.run("9s")
    assert.isFalse(isReading)
    assert.strictEqual(written, 3, "the fourth filled the window and waits")
    world.run("5s")
    assert.strictEqual(written, 20)
  })

  it("a server that ends closes what it has open and refuses the next", () => {
    const { world, ended, server, addClient } = makeWorld()
    server.start()
    world.run("10ms")
    addClient(["a"]).start()
    world.run("1s")
    server.stop(1_000_000)
    world.run("1s")
    assert.deepStrictEqual(ended, [{ heard: "A\n", end: "closed 1000" }])
  })

  it.effect("two servers of one port are one too many", () =>
    Effect.sync(() => {
      const world = new World({ seed: "1" })
      let message = ""
      const twice = SimSocketServer.make({ port: 1 }).pipe(
        Effect.andThen(SimSocketServer.make({ port: 1 })),
        Effect.scoped,
        Effect.catchTag("SocketServerError", ({ reason }) =>
          Effect.sync(() => {
            message = String(reason.cause)
          })
        )
      )
      world.addNode("server", twice).start()
      world.run("1s")
      assert.include(message, "server:1 is listened to already")
    })
  )
})
