import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as HttpCalling from "./HttpCalling.ts"
import * as HttpServing from "./HttpServing.ts"

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, HttpServerRequest.HttpServerRequest>

/** Serves until the scope ends; returns the port. */
const serve = (app: App, options: Partial<HttpServing.Options> = {}) =>
  Effect.gen(function* () {
    const layer = HttpServer.serve(app).pipe(
      Layer.provideMerge(HttpServing.layer({ host: "127.0.0.1", port: 0, ...options }))
    )
    const context = yield* Layer.build(layer)
    const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
    return "port" in address ? address.port : assert.fail("no port")
  })

/** Sends bytes by hand; returns what came until the connection was over. */
const converse = (port: number, bytes: string, more?: string) =>
  Effect.callback<string>((resume) => {
    const socket = Net.connect(port, "127.0.0.1")
    let heard = ""
    let saysMore = more !== undefined
    socket.on("connect", () => socket.write(bytes))
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1")
    })
    const speak = (): void => {
      if (saysMore) socket.write(more ?? "", () => setImmediate(speak))
    }
    if (saysMore) socket.once("connect", speak)
    const onEnd = (): void => {
      saysMore = false
      socket.destroy()
      resume(Effect.succeed(heard))
    }
    socket.on("end", onEnd)
    socket.on("error", onEnd)
    return Effect.sync(() => socket.destroy())
  })

const upgrade = (extra = "") =>
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${extra}\r\n`

/** Upgrades, and holds the session until it is over. */
const hold: App = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const socket = yield* request.upgrade
  const { pull } = yield* socket.reader
  return yield* Effect.forever(pull)
}).pipe(Effect.scoped, Effect.interruptible)

describe("a server", () => {
  it.live("whose port is taken does not start, and says so", () =>
    Effect.gen(function* () {
      const port = yield* serve(Effect.succeed(HttpServerResponse.empty()))
      const error = yield* Effect.flip(serve(Effect.succeed(HttpServerResponse.empty()), { port }))
      assert.strictEqual((error.cause as { code?: string }).code, "EADDRINUSE")
    }).pipe(Effect.scoped)
  )

  it.live("answers who comes before anything is served, and serves who comes again", () =>
    Effect.gen(function* () {
      const server = HttpServing.layer({ host: "127.0.0.1", port: 0 })
      const context = yield* Layer.build(server)
      const { address, serve } = yield* Effect.provide(HttpServer.HttpServer, context)
      const port = "port" in address ? address.port : assert.fail("no port")
      const bytes = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      assert.match(yield* converse(port, bytes), /^HTTP\/1.1 503 [^]*retry-after: 1\r\n/)
      yield* serve(Effect.succeed(HttpServerResponse.empty()))
      assert.match(yield* converse(port, bytes), /^HTTP\/1.1 204 /)
    }).pipe(Effect.scoped)
  )

  it.live("waits for no head of a request that does not come", () =>
    Effect.gen(function* () {
      const port = yield* serve(Effect.succeed(HttpServerResponse.empty()), {
        headersTimeoutMillis: 300,
        requestTimeoutMillis: 600
      })
      const heard = yield* converse(port, "GET / HTTP/1.1\r\nHost: ")
      assert.match(heard, /^HTTP\/1.1 408 /)
    }).pipe(Effect.scoped)
  )

  it.live("waits for no body that does not come", () =>
    Effect.gen(function* () {
      const app: App = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        return HttpServerResponse.text(yield* request.text)
      }).pipe(Effect.interruptible)
      const port = yield* serve(app, { headersTimeoutMillis: 300, requestTimeoutMillis: 600 })
      const heard = yield* converse(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
      assert.match(heard, /^HTTP\/1.1 408 /)
    }).pipe(Effect.scoped)
  )

  it.live("reads no more of a body than its limit, whoever serves", () =>
    Effect.gen(function* () {
      const app: App = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.map(request.arrayBuffer, ({ byteLength }) => HttpServerResponse.text(String(byteLength)))
      )
      const port = yield* serve(app)
      const ask = (bytes: number) =>
        HttpClient.post(`http://127.0.0.1:${port}/`, { body: HttpBody.uint8Array(new Uint8Array(bytes)) })
      assert.strictEqual((yield* ask(1_048_576)).status, 200)
      assert.strictEqual((yield* ask(1_048_577)).status, 413)
    }).pipe(Effect.scoped, Effect.provide(HttpCalling.layer))
  )

  it.live("reads no more of a body without a length than its limit, and an endless one is not kept", () =>
    Effect.gen(function* () {
      const app: App = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.map(request.arrayBuffer, ({ byteLength }) => HttpServerResponse.text(String(byteLength)))
      )
      const port = yield* serve(app, { headersTimeoutMillis: 500, requestTimeoutMillis: 1_000 })
      const head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`
      const most = head + chunk(65_536).repeat(16)
      const end = chunk(0)
      assert.match(yield* converse(port, most + end), /^HTTP\/1.1 200 [^]*1048576$/)
      assert.match(yield* converse(port, most + chunk(1) + end), /^HTTP\/1.1 413 /)
      assert.match(yield* converse(port, head, chunk(65_536)), /^HTTP\/1.1 413 /)
      assert.match(yield* converse(port, most + end), /^HTTP\/1.1 200 /)
    }).pipe(Effect.scoped)
  )

  it.live(
    "answers a handshake that is none with 400, and a request for nothing that it has with what its handler says",
    () =>
      Effect.gen(function* () {
        const port = yield* serve(hold)
        assert.match(yield* converse(port, upgrade("Sec-WebSocket-Key: short\r\n")), /^HTTP\/1.1 400 /)
        assert.match(yield* converse(port, upgrade().replace("websocket", "smoke")), /^HTTP\/1.1 400 /)
      }).pipe(Effect.scoped)
  )

  it.live("notices who leaves before it has decided to let him in", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const undecided: App = Deferred.succeed(asked, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined)),
        Effect.interruptible
      )
      const port = yield* serve(undecided)
      const caller = yield* Effect.forkChild(converse(port, upgrade()))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(caller)
      yield* Effect.timeout(Deferred.await(interrupted), "10 seconds")
    }).pipe(Effect.scoped)
  )

  it.live("cuts off who says much before he was let in", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const undecided: App = Effect.never.pipe(
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined)),
        Effect.interruptible
      )
      const port = yield* serve(undecided)
      yield* converse(port, upgrade(), "x".repeat(65_536))
      yield* Deferred.await(interrupted)
    }).pipe(Effect.scoped)
  )

  it.live(
    "that is stopped cuts off its callers at the deadline, and waits for a handler that cannot be interrupted",
    () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const asked = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        // Uninterruptible, as a handler without a router is.
        const stuck: App = Effect.as(
          Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(release)),
          HttpServerResponse.empty()
        )
        const port = yield* Effect.provideService(serve(stuck, { stopDeadlineMillis: 200 }), Scope.Scope, scope)
        const heard = yield* Effect.forkChild(converse(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        yield* Deferred.await(asked)
        const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        assert.strictEqual(yield* Fiber.join(heard), "", "cut off at the deadline, unanswered")
        assert.isUndefined(stopping.pollUnsafe(), "its handler is still under way")
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(stopping)
      })
  )
})
