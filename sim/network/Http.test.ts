import { createServer } from "node:http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { httpBodyBytesMax } from "../../core/Limits.ts"
import { emit } from "../../core/facts/Facts.ts"
import * as Schedule from "../kernel/Schedule.ts"
import { World } from "../run/World.ts"
import * as Counter from "./Counter.fixture.ts"
import * as SimHttpClient from "./SimHttpClient.ts"
import * as SimHttpServer from "./SimHttpServer.ts"

/** Adds 1, 2 and 3, and reads the total. */
const session = (baseUrl: string) =>
  Effect.gen(function* () {
    const counter = yield* Counter.client(baseUrl)
    for (const amount of [1, 2, 3]) yield* counter.counting.add({ payload: { amount } })
    return (yield* counter.counting.read()).total
  })

const say = (what: string) => emit({ _tag: "Said", what })

const makeWorld = (seed = "1") => {
  const world = new World({ seed, strategy: Schedule.random })
  const said: Array<string> = []
  world.subscribe(({ atMicros, fact }) => {
    if (fact._tag === "Said")
      said.push(`${Math.round(atMicros / 1_000_000)} s: ${(fact as unknown as { what: string }).what}`)
  })
  const total = { value: 0 }
  const serving = Counter.serve(total).pipe(Layer.provide(SimHttpServer.layer({ port: 8080 })))
  const server = world.addNode("server", Layer.launch(serving))
  const addClient = (program: Effect.Effect<unknown, unknown, never>, name = "client") => world.addNode(name, program)
  return { world, said, total, server, addClient }
}

const add = (amount: number) =>
  Counter.client("http://server:8080").pipe(
    Effect.flatMap((counter) => counter.counting.add({ payload: { amount } })),
    Effect.timeout("5 seconds"),
    Effect.match({
      onSuccess: ({ total }) => `total ${total}`,
      onFailure: (error) => error._tag
    }),
    Effect.flatMap(say),
    Effect.provide(SimHttpClient.layer)
  )

describe("an HttpApi, unmodified", () => {
  it.live("answers on Node's HTTP server", () => {
    const server = Counter.serve({ value: 0 }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 })))
    return Effect.gen(function* () {
      const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
      assert.strictEqual(yield* session(url), 6)
    }).pipe(Effect.provide([server, NodeHttpClient.layerUndici]))
  })

  it("is refused over TLS, which is not simulated, and the server hears nothing", () => {
    const { said, server, total, world } = makeWorld()
    const program = Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      yield* client.post("https://server:8080/counter")
    }).pipe(
      Effect.catchTag("HttpClientError", ({ reason }) => say(`${reason._tag}: ${reason.message}`)),
      Effect.provide(SimHttpClient.layer)
    )
    server.start()
    world.addNode("client", program).start()
    const connected: Array<string> = []
    world.kernel.facts.subscribeDetailed(({ fact }) => void (fact._tag === "Delivered" && connected.push(fact._tag)))
    world.run("10s")
    assert.match(said.join(), /^0 s: InvalidUrlError: .*https: is not simulated: give the program an http: URL/)
    assert.deepStrictEqual(connected, [])
    assert.strictEqual(total.value, 0)
  })

  it("answers the same in the simulator, over a reused connection", () => {
    const { world, said, server } = makeWorld()
    const program = session("http://server:8080").pipe(
      Effect.flatMap((total) => say(`total ${total}`)),
      Effect.provide(SimHttpClient.layer)
    )
    world.addNode("client", program as never).start()
    server.start()
    world.run("10s")
    assert.deepStrictEqual(said, ["0 s: total 6"])
    assert.strictEqual(world.network.link("client", "server").connections, 1)
  })

  it("a partition shorter than the time-out costs time, a longer one costs the answer", () => {
    const { world, said, server, total, addClient } = makeWorld()
    server.start()
    const client = addClient(Effect.andThen(add(1), Effect.andThen(Effect.sleep("10 seconds"), add(2))) as never)
    const heal = world.network.partition(["client"], ["server"])
    client.start()
    world.run("2s")
    heal()
    world.run("6s")
    world.network.partition(["client"], ["server"])
    world.run("30s")
    assert.deepStrictEqual(said, ["3 s: total 1", "18 s: TimeoutError"])
    assert.strictEqual(total.value, 1)
  })

  it("with the answer lost after the effect the client sees a time-out, and the effect is there", () => {
    const { world, said, server, total, addClient } = makeWorld()
    world.hazards.add("network/answer-lost", {
      entry: 0,
      covers: () => true,
      rate: 1,
      struck: undefined,
      parameters: {}
    })
    server.start()
    addClient(add(7) as never).start()
    world.run("30s")
    assert.deepStrictEqual(said, ["5 s: TimeoutError"])
    assert.strictEqual(total.value, 7)
    assert.strictEqual(world.kernel.facts.effects.get("network/answer-lost"), 1)
  })

  it("a request doubled by a middlebox reaches the server twice and is answered once", () => {
    const { world, said, server, total, addClient } = makeWorld()
    world.hazards.add("network/duplication", {
      entry: 0,
      covers: () => true,
      rate: 1,
      struck: undefined,
      parameters: {}
    })
    server.start()
    addClient(Effect.andThen(add(5), Effect.never) as never).start()
    world.run("30s")
    assert.deepStrictEqual(said, ["0 s: total 5"])
    assert.strictEqual(total.value, 10)
  })

  it("nobody listening is refused at once; a server that died is found out by silence, one that is back by a reset", () => {
    const { world, said, server, addClient } = makeWorld()
    const client = addClient(
      Effect.all([add(1), Effect.sleep("1 second"), add(2), Effect.sleep("10 seconds"), add(3)]) as never
    )
    world.addNode("idle", Effect.never).start()
    client.start()
    world.run("500ms")
    assert.deepStrictEqual(said, [])
    server.start()
    world.run("1m")
    assert.strictEqual(said.length, 3)
  })

  it("a body without end is read no further when the connection is over, and its finalizers run", () => {
    const { world, said, server, addClient } = makeWorld()
    const endless = Stream.fromEffectRepeat(Effect.as(Effect.sleep("1 millis"), new Uint8Array(16_384))).pipe(
      Stream.ensuring(say("the body is closed"))
    )
    const upload = HttpClient.post("http://server:8080/add", { body: HttpBody.stream(endless) }).pipe(
      Effect.match({ onSuccess: ({ status }) => `status ${status}`, onFailure: ({ reason }) => reason._tag }),
      Effect.flatMap(say),
      Effect.provide(SimHttpClient.layer)
    )
    server.start()
    world.run("10ms")
    // Nobody reads the body at all: the window fills, and the client waits for room.
    server.pause()
    addClient(Effect.andThen(upload, Effect.never) as never).start()
    world.run("1s")
    server.crash("killed")
    world.run("30s")
    assert.deepStrictEqual(said.map((line) => line.replace(/^\d+ s: /, "")).toSorted(), [
      "TransportError",
      "the body is closed"
    ])
  })

  it("a body that comes in chunks is read up to the limit of production, and above it answered with 413", () => {
    const world = new World({ seed: "1", strategy: Schedule.random })
    const said: Array<string> = []
    world.subscribe(({ fact }) => {
      if (fact._tag === "Said") said.push((fact as unknown as { what: string }).what)
    })
    const length = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.map(request.arrayBuffer, ({ byteLength }) => HttpServerResponse.text(String(byteLength)))
    )
    world
      .addNode(
        "server",
        Layer.launch(HttpServer.serve(length).pipe(Layer.provide(SimHttpServer.layer({ port: 8080 }))))
      )
      .start()
    const chunk = new Uint8Array(16_384)
    const post = (title: string, chunks: Stream.Stream<Uint8Array>) =>
      HttpClient.post("http://server:8080/", { body: HttpBody.stream(chunks) }).pipe(
        Effect.flatMap((response) => Effect.map(response.text, (text) => `${response.status} ${text}`.trim())),
        Effect.timeout("10 seconds"),
        Effect.match({ onSuccess: (answer) => answer, onFailure: ({ _tag }) => _tag }),
        Effect.flatMap((answer) => say(`${title}: ${answer}`)),
        Effect.provide(SimHttpClient.layer)
      )
    const most = Stream.fromIterable(Array.from({ length: httpBodyBytesMax / chunk.length }, () => chunk))
    const clients = Effect.gen(function* () {
      yield* post("most", most)
      yield* post("one more", Stream.concat(most, Stream.succeed(new Uint8Array(1))))
      yield* post("endless", Stream.forever(Stream.succeed(chunk)))
      // And the server is as it was.
      yield* post("most", most)
    })
    world.addNode("client", clients).start()
    world.run("60s")
    assert.deepStrictEqual(said, ["most: 200 1048576", "one more: 413", "endless: 413", "most: 200 1048576"])
  })

  it("same seed, same digest; another seed, another", () => {
    const digest = (seed: string) => {
      const { world, server, addClient } = makeWorld(seed)
      server.start()
      addClient(Effect.all([add(1), add(2), add(3)], { concurrency: "unbounded" }) as never).start()
      world.run("30s")
      return world.kernel.facts.digest.value
    }
    assert.strictEqual(digest("5"), digest("5"))
    assert.notStrictEqual(digest("5"), digest("6"))
  })

  it("a connection that has carried thousands of exchanges, bodies unread, still has room for a streamed answer", () => {
    const { said, world } = makeWorld()
    const answer = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      return request.url === "/stream"
        ? HttpServerResponse.stream(Stream.make(new Uint8Array(16_384), new Uint8Array(16_384)))
        : HttpServerResponse.text("unread")
    })
    const serving = Layer.provide(HttpServer.serve(answer), SimHttpServer.layer({ port: 80 }))
    world.addNode("busy", Layer.launch(serving)).start()
    world.run("10ms")
    const asking = Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      for (let nth = 0; nth < 2_000; nth++) yield* client.post("http://busy/", { body: HttpBody.text("unread") })
      const response = yield* client.get("http://busy/stream")
      yield* say(`${(yield* response.arrayBuffer).byteLength} bytes`)
    })
    world.addNode("asker", Effect.provide(asking, SimHttpClient.layer)).start()
    world.run("1m")
    assert.strictEqual(world.network.link("asker", "busy").connections, 1)
    assert.deepStrictEqual(
      said.map((line) => line.replace(/.*: /, "")),
      ["32768 bytes"]
    )
  })
})
