/** Sessions and streams on the wire: what whoever breaks their rules is told, and who notices; and who is let in by a certificate. */
import * as Net from "node:net"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { generate } from "selfsigned"
import * as SessionRoutes from "../../core/api/SessionRoutes.ts"
import * as WatchRoutes from "../../core/api/WatchRoutes.ts"
import * as Gate from "../../core/identity/Gate.ts"
import { sessionFrameBytesMax, socketFrameBytesMax } from "../../core/Limits.ts"
import * as Metrics from "../../core/Metrics.ts"
import * as Dial from "../../core/ports/Dial.ts"
import { makeTransaction, type Statement, Storage } from "../../core/ports/Storage.ts"
import * as Admission from "../../core/session/Admission.ts"
import * as AgentSessions from "../../core/session/AgentSessions.ts"
import { encode, fromNode, version } from "../../core/session/SessionFrame.ts"
import { makeStorage } from "../../core/storage/makeStorage.ts"
import { Watch } from "../../core/watch/Watch.ts"
import * as ClientCertificates from "../node/ClientCertificates.ts"
import * as HttpServing from "../node/HttpServing.ts"
import * as WebSocketDial from "./WebSocketDial.ts"

/** A store in which every agent is registered under its first incarnation and has nothing to do; keeps what was to be written. */
const storeOfAgents = () => {
  const written: Array<Statement> = []
  const answer = (statement: Statement) =>
    Effect.sync(() => {
      const isWrite = statement._tag === "Insert" || statement._tag === "Update" || statement._tag === "Delete"
      if (isWrite) written.push(statement)
      const isOfAgents = "table" in statement && statement.table === "agents"
      const row = { id: "a1", incarnation: 1, registeredAt: 0, host: "h1", process: "p1", heardAt: 0 }
      return { rows: isOfAgents ? [row] : [], count: 0 }
    })
  const begin = () => ({
    transaction: makeTransaction(answer),
    start: Effect.void,
    commit: Effect.void,
    rollback: Effect.void,
    abandon: () => undefined,
    isOver: false
  })
  return { written, storage: Layer.succeed(Storage, makeStorage({ once: answer, begin })) }
}

const silentWatch = Layer.succeed(Watch, {
  open: () => Effect.succeed(Effect.succeed(Effect.never)),
  listen: () => Effect.void,
  stop: Effect.void
})

/** The routes of sessions and streams, on a free port. */
const serve = async (
  scope: Scope.Scope,
  gate: Layer.Layer<Gate.Gate, never, Storage>,
  tls?: HttpServing.TlsOptions
) => {
  const { storage, written } = storeOfAgents()
  const serving = HttpServing.layer({ host: "127.0.0.1", port: 0, tls })
  const routes = Layer.merge(SessionRoutes.layer, WatchRoutes.layer)
  const node = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(AgentSessions.layer),
    Layer.provide([silentWatch, Admission.layer(), gate]),
    Layer.provide([storage, Metrics.ofNode("n1")]),
    Layer.provideMerge(serving)
  )
  const context = await Effect.runPromise(Scope.provide(Layer.build(node), scope))
  const { address } = await Effect.runPromise(Effect.provide(HttpServer.HttpServer, context))
  assert("port" in address)
  return { port: address.port, written }
}

const hello = encode({ _tag: "Hello", version, host: "h1", process: "p1", isKnown: false })
const report = (number: number) => encode({ _tag: "Report", number, reports: [] })

/** A client without rules: says what it is told to, and hears. */
class Client {
  readonly #ws: NodeWS.WebSocket
  readonly #heard: Array<string> = []
  #wake: () => void = () => undefined
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>

  constructor(port: number, path: string) {
    this.#ws = new NodeWS.WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false })
    this.#ws.on("message", (data) => {
      this.#heard.push(String(data))
      this.#wake()
    })
    this.closed = new Promise((resolve) =>
      this.#ws.on("close", (code, reason) => resolve({ code, reason: String(reason) }))
    )
  }

  async opened(): Promise<this> {
    if (this.#ws.readyState !== this.#ws.OPEN) await new Promise((resolve) => this.#ws.once("open", resolve))
    return this
  }

  say(...messages: ReadonlyArray<string | Uint8Array>): void {
    for (const message of messages) this.#ws.send(message)
  }

  async hears(): Promise<ReturnType<typeof fromNode>> {
    if (this.#heard.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    return fromNode(this.#heard.shift()!)
  }

  leave(): void {
    this.#ws.terminate()
  }
}

/** Upgrades by hand, sends these bytes, and returns the code of the close frame that comes. */
const closeCodeFor = (port: number, path: string, bytes: ReadonlyArray<number>): Promise<number> =>
  new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0)
    const socket = Net.connect(port, "127.0.0.1", () =>
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`
      )
    )
    let isUpgraded = false
    socket.on("data", (data) => {
      heard = Buffer.concat([heard, data])
      const end = heard.indexOf("\r\n\r\n")
      if (!isUpgraded && end >= 0) {
        isUpgraded = true
        heard = heard.subarray(end + 4)
        socket.write(Uint8Array.from(bytes))
      }
    })
    socket.on("error", reject)
    socket.on("end", () => {
      socket.destroy()
      if (heard[0] === 0x88) resolve(heard.readUInt16BE(2))
      else reject(new Error(`no close frame: ${heard.toString("hex")}`))
    })
  })

/** A frame as clients send them, with a mask of zeros. */
const frame = (head: number, payload: ReadonlyArray<number>): ReadonlyArray<number> => [
  head,
  0x80 + payload.length,
  0,
  0,
  0,
  0,
  ...payload
]

const scope = Scope.makeUnsafe()
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe("a client that breaks the rules", () => {
  let port: number
  let written: ReadonlyArray<Statement>
  let steady: Client
  let reports = 0

  beforeAll(async () => {
    ;({ port, written } = await serve(scope, Gate.open))
    steady = await new Client(port, "/v1/agents/a1/session").opened()
    steady.say(hello)
    assert.deepInclude(await steady.hears(), { _tag: "Welcome" })
  })

  /** The session that was there before is answered, and nothing but what it says is stored. */
  const nobodyElseNotices = async (before: number) => {
    assert.lengthOf(written, before)
    steady.say(report(++reports))
    assert.deepInclude(await steady.hears(), { _tag: "Work", report: reports })
  }

  const tooLarge = JSON.stringify({ _tag: "Beat", uids: ["u".repeat(sessionFrameBytesMax)] })
  const misuses: ReadonlyArray<readonly [what: string, frame: string | Uint8Array<ArrayBuffer>, code: number]> = [
    ["a binary frame", new TextEncoder().encode(report(1)), 1003],
    ["what is no JSON", '{"_tag":"Report"', 1007],
    ["an empty text", "", 1007],
    ["JSON that is no frame", "[1]", 1008],
    ["null", "null", 1008],
    ["a frame that nobody knows", '{"_tag":"Shout"}', 1008],
    ["a frame of nodes", encode({ _tag: "Welcome", version, incarnation: 9 }), 1008],
    ["a frame with more than it has", '{"_tag":"Beat","uids":[],"and":1}', 1008],
    ["a number as text", '{"_tag":"Report","number":"1","reports":[]}', 1008],
    [
      "a report of what cannot be",
      '{"_tag":"Report","number":1,"reports":[{"uid":"u","attempt":1,"observation":"?"}]}',
      1008
    ],
    ["another version", '{"_tag":"Hello","version":2}', 4406],
    ["a text above the limit of a session", tooLarge, 1009],
    ["a text above the limit of any frame", "x".repeat(socketFrameBytesMax + 1), 1009]
  ]
  for (const [what, misuse, code] of misuses) {
    it(`with ${what} is told ${code}, before its hello and after, and nobody else notices`, async () => {
      const before = written.length
      const early = await new Client(port, "/v1/agents/a2/session").opened()
      early.say(misuse)
      assert.strictEqual((await early.closed).code, code)
      await nobodyElseNotices(before)

      const late = await new Client(port, "/v1/agents/a2/session").opened()
      late.say(hello)
      assert.deepInclude(await late.hears(), { _tag: "Welcome" })
      const welcomed = written.length
      late.say(misuse, report(1))
      const { reason } = await late.closed.then((closed) => (assert.strictEqual(closed.code, code), closed))
      // The reason of what `ws` refuses by itself is its own.
      assert.strictEqual(reason === "", misuse.length > socketFrameBytesMax)
      await nobodyElseNotices(welcomed)
    })
  }

  const turns: ReadonlyArray<readonly [what: string, ...frames: ReadonlyArray<string>]> = [
    ["a report before its hello", report(1), hello],
    ["a beat before its hello", encode({ _tag: "Beat", uids: ["u1"] }), hello],
    ["its hello twice", hello, hello],
    ["a report that comes twice", hello, report(1), report(1)],
    ["a report out of its turn", hello, report(2), report(1)]
  ]
  for (const [what, ...frames] of turns) {
    it(`with ${what} is told 1008, and nothing behind it is taken`, async () => {
      const client = await new Client(port, "/v1/agents/a2/session").opened()
      const before = written.length
      client.say(...frames, encode({ _tag: "Beat", uids: ["u2"] }))
      const { code, reason } = await client.closed
      assert.strictEqual(code, 1008)
      assert.isNotEmpty(reason)
      const welcomed = frames[0] === hello ? 1 : 0
      const tables = written.slice(before).map((statement) => ("table" in statement ? statement.table : ""))
      // Its hello, and that it was heard by a first report.
      assert.deepStrictEqual(
        tables,
        Array.from({ length: welcomed + (frames.length > 2 ? 1 : 0) }, () => "agents")
      )
      await nobodyElseNotices(written.length)
    })
  }

  const bytes: ReadonlyArray<readonly [what: string, bytes: ReadonlyArray<number>, code: number]> = [
    ["without a mask", [0x81, 2, 0x7b, 0x7d], 1002],
    ["of a kind that is reserved", frame(0x83, []), 1002],
    ["with a bit that nobody has agreed on", frame(0xc1, [0x7b, 0x7d]), 1002],
    ["that goes on with what was not begun", frame(0x80, [0x7b]), 1002],
    ["that is a ping in two parts", frame(0x09, [0]), 1002],
    ["that is a ping of more than 125 bytes", [0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002],
    ["that says goodbye with a code that is none", frame(0x88, [0x03, 0xe7]), 1002],
    ["that is no UTF-8", frame(0x81, [0xc3, 0x28]), 1007],
    ["that says it is of 2^40 bytes", [0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1009]
  ]
  for (const [what, misuse, code] of bytes) {
    it(`with a frame ${what} is told ${code}`, async () => {
      const before = written.length
      assert.strictEqual(await closeCodeFor(port, "/v1/agents/a2/session", misuse), code)
      await nobodyElseNotices(before)
    })
  }

  it("who watches and says anything is told 1008, or 1003 in bytes", async () => {
    const before = written.length
    for (const [misuse, code] of [
      ["{}", 1008],
      [new Uint8Array([1]), 1003]
    ] as const) {
      const watcher = await new Client(port, "/v1/watch").opened()
      watcher.say(misuse)
      assert.strictEqual((await watcher.closed).code, code)
    }
    await nobodyElseNotices(before)
  })

  it("who goes away in the middle of a frame leaves nothing", async () => {
    const before = written.length
    assert.isAbove(before, 0)
    await new Promise((resolve) => {
      const socket = Net.connect(port, "127.0.0.1", () => {
        socket.write(
          "GET /v1/agents/a2/session HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`
        )
      })
      socket.once("data", () => {
        socket.write(Uint8Array.from(frame(0x01, [0x7b])), () => socket.destroy())
        socket.once("close", resolve)
      })
    })
    await nobodyElseNotices(before)
    steady.leave()
  })
})

interface Pair {
  readonly cert: string
  readonly private: string
}

const certificate = (name: string, by?: Pair): Promise<Pair> =>
  generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    ...(by === undefined ? {} : { ca: { cert: by.cert, key: by.private } }),
    extensions: [
      { name: "basicConstraints", cA: by === undefined, critical: true },
      ...(by === undefined
        ? []
        : [{ name: "subjectAltName" as const, altNames: [{ type: 2 as const, value: "localhost" }] }])
    ]
  })

describe("an agent that dials with a certificate", () => {
  const certificates = ClientCertificates.make()
  const limit = { perSecond: 1, burst: 1 }
  let ours: Pair
  let port: number

  beforeAll(async () => {
    ours = await certificate("ours")
    const node = await certificate("n1", ours)
    const gate = Gate.keyed({ principal: limit, project: limit, others: certificates.verifier })
    const tls = { certificate: node.cert, key: node.private, clientAuthority: ours.cert, vouch: certificates.vouch }
    ;({ port } = await serve(scope, gate, tls))
  })

  /** What is said to its hello, or why it did not come to that. */
  const answerTo = (tls: WebSocketDial.TlsOptions): Promise<string> =>
    Effect.gen(function* () {
      const socket = yield* Dial.dial(`wss://localhost:${port}/v1/agents/a1/session`, { headers: {} })
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write(hello)
      const [first] = yield* pull
      const said = fromNode(first)
      return "_tag" in said ? said._tag : "nothing"
    }).pipe(
      Effect.scoped,
      Effect.catchTag("SocketError", (error) =>
        Effect.succeed(Dial.dialErrorOf(error)?.reason.message ?? error.message)
      ),
      Effect.provide(WebSocketDial.layer({}, { authority: ours.cert, ...tls })),
      Effect.runPromise
    )

  it("that our authority has signed has a session", async () => {
    const agent = await certificate("rack-7", ours)
    assert.strictEqual(await answerTo({ certificate: agent.cert, key: agent.private }), "Welcome")
  })

  it("that somebody else has signed has none, and neither has who shows none", async () => {
    const theirs = await certificate("theirs")
    const stranger = await certificate("rack-7", theirs)
    assert.strictEqual(await answerTo({ certificate: stranger.cert, key: stranger.private }), "not let in: status 401")
    assert.strictEqual(await answerTo({}), "not let in: status 401")
    assert.match(await answerTo({ authority: theirs.cert }), /^unreachable: /)
  })
})
