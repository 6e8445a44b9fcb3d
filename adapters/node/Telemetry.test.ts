/** What a process says of itself, to people, to programs and to a collector. */
import { once } from "node:events"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Reconciler from "../../core/reconcile/Reconciler.ts"
import type { Grant } from "../../core/lease/LeaseKeeper.ts"
import { NodeExit } from "../../core/ports/NodeExit.ts"
import * as Logging from "./Logging.ts"
import * as Telemetry from "./Telemetry.ts"

const grant: Grant = {
  lease: "buckets/1",
  epoch: 1,
  fences: [],
  remainingMicrosUnsafe: () => 1,
  databaseMicrosUnsafe: () => 1
}

const secret = "Bearer hidden"

interface Received {
  readonly path: string
  readonly authorization: string | undefined
  readonly body: string
}

/** A collector of OTLP over HTTP; one that is silent takes everything and answers nothing. */
const collector = (options: { readonly isSilent: boolean }): Effect.Effect<Collector, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const received: Array<Received> = []
      const server = http.createServer((request, response) => {
        let body = ""
        request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
        request.on("end", () => {
          received.push({ path: request.url ?? "", authorization: request.headers.authorization, body })
          if (!options.isSilent) response.setHeader("content-type", "application/json").end("{}")
        })
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return { server, received, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

interface Collector {
  readonly server: http.Server
  readonly received: Array<Received>
  readonly endpoint: string
}

/** A node that looks at one key, and says so; what it wrote to its log. */
const lookOnce = (endpoint: string | undefined) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const telemetry = Telemetry.layer({
      endpoint,
      headers: { authorization: Redacted.make(secret) },
      service: "stormglass",
      instance: "n1",
      version: "1",
      shutdownMillis: 200
    })
    const program = Effect.gen(function* () {
      const looked = yield* Deferred.make<void>()
      const work = [{ key: "fleet/web", bucketGroup: 1 }]
      const reconciler = yield* Reconciler.make({
        due: () => Effect.succeed(work),
        everything: () => Effect.succeed(work),
        backoffMillisMax: 1_000,
        reconcile: ({ key }) =>
          Effect.gen(function* () {
            yield* Effect.logWarning(`looks at ${key}`)
            yield* Effect.withSpan(Effect.void, "statement", { kind: "client" })
            yield* Deferred.succeed(looked, undefined)
            return { _tag: "Done" } as const
          })
      })
      yield* Effect.withSpan(Effect.void, "a poll", { kind: "client" })
      yield* Effect.forkScoped(reconciler.serve(1, grant))
      yield* Deferred.await(looked)
    })
    yield* program.pipe(
      Effect.scoped,
      Effect.provideService(NodeExit, { exit: (reason) => Effect.die(reason) }),
      Effect.provide(telemetry.pipe(Layer.provideMerge(Logging.layer("json", (line) => lines.push(line)))))
    )
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  })

const spansOf = (received: ReadonlyArray<Received>) =>
  received
    .filter(({ path }) => path === "/v1/traces")
    .flatMap(({ body }) => JSON.parse(body).resourceSpans)
    .flatMap(({ resource, scopeSpans }) =>
      // oxlint-disable-next-line typescript/no-explicit-any -- the wire format of OTLP
      scopeSpans.flatMap(({ spans }: any) => spans.map((span: any) => ({ ...span, resource })))
    )

describe("telemetry", () => {
  // covers A14
  it.live("the id of a look at a key is its trace's, in the collector's traces and logs and in the log", () =>
    Effect.gen(function* () {
      const { endpoint, received } = yield* collector({ isSilent: false })
      const lines = yield* lookOnce(endpoint)
      const spans = spansOf(received)
      const look = spans.find(({ name }) => name === "reconcile")
      assert.match(look.traceId, /^[0-9a-f]{32}$/)
      assert.isUndefined(look.parentSpanId)
      assert.deepStrictEqual(look.attributes, [{ key: "key", value: { stringValue: "fleet/web" } }])
      assert.deepInclude(look.resource.attributes, { key: "service.name", value: { stringValue: "stormglass" } })
      assert.deepInclude(look.resource.attributes, { key: "service.instance.id", value: { stringValue: "n1" } })
      assert.strictEqual(spans.find(({ name }) => name === "statement").traceId, look.traceId)
      assert.isUndefined(
        spans.find(({ name }) => name === "a poll"),
        "a statement of no look is no trace"
      )
      assert.deepInclude(lines, {
        ...lines.find(({ message }) => message === "looks at fleet/web"),
        level: "WARN",
        trace_id: look.traceId,
        span_id: look.spanId
      })
      const logs = received.filter(({ path }) => path === "/v1/logs").map(({ body }) => body)
      assert.include(logs.join(), look.traceId)
      assert.include(logs.join(), "looks at fleet/web")
      assert.deepStrictEqual([...new Set(received.map(({ authorization }) => authorization))], [secret])
      assert.notInclude(received.map(({ body }) => body).join() + JSON.stringify(lines), "hidden")
    }).pipe(Effect.scoped)
  )

  it.live("a collector that is gone, or that never answers, holds nobody up, and is told of once", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(collector({ isSilent: false }), ({ endpoint }) => endpoint))
      const lines = yield* lookOnce(gone)
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["looks at fleet/web", `telemetry: ${gone} does not answer; going on without`]
      )
      const silent = yield* collector({ isSilent: true })
      assert.strictEqual((yield* lookOnce(silent.endpoint))[0]?.["message"], "looks at fleet/web")
      assert.isAbove(silent.received.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("without a collector nothing is sent, and a look has an id all the same", () =>
    Effect.gen(function* () {
      const [line] = yield* lookOnce(undefined)
      assert.match(String(line?.["trace_id"]), /^[0-9a-f]{32}$/)
    })
  )
})

describe("a line of the log", () => {
  const record: Logging.LogRecord = {
    date: new Date(0),
    level: "Warn",
    message: "late",
    attributes: { node: "n1" },
    cause: "Error: lost\n    at somewhere",
    trace: { traceId: "t", spanId: "s" }
  }

  it("is one line of JSON, whatever is in it", () =>
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), (message, value) => {
        const line = Logging.logLine("json", { ...record, message, attributes: { value } })
        assert.notMatch(line, /[\r\n]/)
        assert.deepStrictEqual(JSON.parse(line), {
          time: "1970-01-01T00:00:00.000Z",
          level: "WARN",
          message,
          trace_id: "t",
          span_id: "s",
          cause: record.cause,
          attributes: { value }
        })
      }),
      { numRuns: 30 }
    ))

  it("says to people what, where, and below it why", () => {
    assert.strictEqual(
      Logging.logLine("pretty", record),
      "00:00:00.000  WARN  late  node=n1  trace=t\n    Error: lost\n        at somewhere"
    )
    assert.strictEqual(
      Logging.logLine("pretty", { ...record, level: "Info", attributes: {}, cause: "", trace: undefined }),
      "00:00:00.000  late"
    )
  })
})
