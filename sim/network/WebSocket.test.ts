import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import * as fc from "fast-check"
import { emit } from "../../core/facts/Facts.ts"
import * as Dial from "../../core/ports/Dial.ts"
import * as Programs from "../../core/socket/NetworkPrograms.fixture.ts"
import { World } from "../run/World.ts"
import * as Account from "./Account.fixture.ts"
import * as SimDial from "./SimDial.ts"
import * as SimHttpClient from "./SimHttpClient.ts"
import * as SimHttpServer from "./SimHttpServer.ts"

const makeWorld = (seed = "1") => {
  const world = new World({ seed })
  const said: Array<string> = []
  world.subscribe(({ fact, node }) => {
    if (fact._tag === "Said") said.push(`${node}: ${(fact as unknown as { what: string }).what}`)
  })
  const say = Layer.succeed(Programs.Say, (what: string) => emit({ _tag: "Said", what }))
  const serving = Programs.server.pipe(
    Layer.provide(SimHttpServer.layer({ port: 8080, socketLimits: Programs.serverLimits })),
    Layer.provide(say)
  )
  const outside = Layer.mergeAll(SimDial.layer(Programs.clientLimits), SimHttpClient.layer, say)
  const call = (name: Programs.CallerName, input: Omit<Programs.Input, "at">) =>
    world.addNode("client", Effect.provide(Programs.callerOf(name)({ ...input, at: "server:8080" }), outside)).start()
  return { world, said, call, server: world.addNode("server", Layer.launch(serving)) }
}

describe("remote calls over WebSockets, unmodified", () => {
  it.live("answer on Node", () => {
    const serving = Account.serveUpgraded({ value: 0 }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 }))
    )
    return Effect.gen(function* () {
      const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address).replace("http", "ws")
      const socket = NodeSocket.layerWebSocket(`${url}/account`)
      const answers = yield* Effect.provide(Account.session, Layer.provide(Account.clientProtocol, socket))
      assert.deepStrictEqual(answers, Account.told)
    }).pipe(Effect.provide(serving))
  })

  const dialled = Layer.provide(
    Layer.effect(Socket.Socket, Dial.dial("ws://server:8080/account", { headers: {} })),
    SimDial.layer()
  )
  const constructed = Layer.provide(
    Socket.layerWebSocket("ws://server:8080/account"),
    SimDial.layerWebSocketConstructor
  )
  for (const [by, socket] of [
    ["Effect's own sockets", constructed],
    ["Dial", dialled]
  ] as const) {
    it(`answer the same in the simulator, by ${by}`, () => {
      const world = new World({ seed: "1" })
      const answers: Array<unknown> = []
      const serving = Account.serveUpgraded({ value: 0 }).pipe(Layer.provide(SimHttpServer.layer({ port: 8080 })))
      world.addNode("server", Layer.launch(serving)).start()
      world.run("10ms")
      const asking = Effect.tap(Account.session, (all) => Effect.sync(() => answers.push(all)))
      world.addNode("client", Effect.provide(asking, Layer.provide(Account.clientProtocol, socket))).start()
      world.run("10s")
      assert.deepStrictEqual(answers, [Account.told])
    })
  }
})

describe("an upgrade", () => {
  it("whose answer is lost is a time-out for the caller, and a session that falls silent for the server", () => {
    const { call, said, server, world } = makeWorld()
    world.hazards.add("network/answer-lost", {
      entry: 0,
      covers: () => true,
      rate: 1,
      struck: undefined,
      parameters: {}
    })
    server.start()
    world.run("10ms")
    call("listen", { path: "/hold" })
    world.run("1m")
    assert.deepStrictEqual(said, ["server: hold opened", "client: not opened: TimedOut", "server: hold closed 1006"])
  })

  it("to what is not simulated, or from what is no address, is refused with what to do instead", () => {
    const world = new World({ seed: "1" })
    const refusals: Array<string> = []
    const tryIt = (address: string) =>
      Effect.gen(function* () {
        const socket = yield* Dial.dial(address, { headers: {} })
        yield* socket.reader
      }).pipe(
        Effect.scoped,
        Effect.catchTag("SocketError", (error) =>
          Effect.sync(() => refusals.push(Dial.dialErrorOf(error)?.message ?? ""))
        )
      )
    const raw = HttpClient.get("http://server:8080/hold", { headers: { upgrade: "smoke" } }).pipe(
      Effect.catchTag("HttpClientError", ({ message }) => Effect.sync(() => refusals.push(message)))
    )
    const all = [tryIt("wss://server"), tryIt("server:80"), tryIt("ws://server/#top"), raw]
    world.addNode("client", Effect.provide(Effect.all(all), Layer.merge(SimDial.layer(), SimHttpClient.layer))).start()
    world.run("1s")
    assert.deepStrictEqual(refusals.slice(0, 3), [
      "wss://server: wss: is not simulated: give the program a ws: address, and leave TLS to what stands before it",
      "server:80: has the scheme server: instead of ws: or wss:",
      "ws://server/#top: has a fragment (#top), which a WebSocket has no use for"
    ])
    assert.include(refusals[3], "the simulated network upgrades to WebSockets only, through Dial")
    assert.strictEqual(world.network.link("client", "server").connections, 0)
  })
})

describe("a write that waits for room", () => {
  it("fails when the connection ends, though nothing comes after it", () => {
    const { said, server, world } = makeWorld()
    server.start()
    world.run("10ms")
    const writing = Effect.gen(function* () {
      const socket = yield* Dial.dial("ws://server:8080/late?messages=1", { headers: {} })
      yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("first")
      world.network.partition(["client"], ["server"])
      yield* write(new Uint8Array(1_000_000))
      yield* emit({ _tag: "Said", what: "written" })
    }).pipe(
      Effect.scoped,
      Effect.catchTag("SocketError", ({ reason }) => emit({ _tag: "Said", what: reason._tag }))
    )
    world.addNode("client", Effect.provide(writing, SimDial.layer(Programs.clientLimits))).start()
    world.run("1m")
    assert.include(said, "client: SocketWriteError")
    assert.notInclude(said, "client: written")
  })
})

describe("a session under every fault of the network", () => {
  const kinds = ["loss", "reset", "half-open", "latency-tail", "reordering", "refused", "answer-lost"] as const
  const faults = fc.record({
    kind: fc.constantFrom(...kinds),
    rate: fc.double({ min: 0.001, max: 0.1, noNaN: true }),
    seed: fc.nat(),
    cutMillis: fc.option(fc.nat({ max: 4_000 }))
  })

  it("has its messages echoed in order or ends at both ends: nobody is left in silence", () =>
    fc.assert(
      fc.property(faults, ({ cutMillis, kind, rate, seed }) => {
        const { call, said, server, world } = makeWorld(String(seed))
        world.hazards.add(`network/${kind}`, { entry: 0, covers: () => true, rate, struck: undefined, parameters: {} })
        server.start()
        world.run("10ms")
        call("converse", { path: "/echo", messages: 100 })
        if (cutMillis !== null) {
          world.run(`${cutMillis}ms`)
          world.network.partition(["client"], ["server"])
        }
        world.run("2m")
        const client = said.filter((line) => line.startsWith("client: ") && line !== "client: opened")
        assert.strictEqual(client.length, 1, said.join("; "))
        assert.match(
          client[0] ?? "",
          /100 echoed in order|closed 1006|could not write|not opened: (Refused|TimedOut|Unreachable)/
        )
        const opened = said.filter((line) => line === "server: echo opened").length
        const ended = said.filter((line) => /^server: echo (closed|could|was)/.test(line)).length
        assert.strictEqual(ended, opened, said.join("; "))
      }),
      { numRuns: 150 }
    ))
})
