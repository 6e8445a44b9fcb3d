/**
 * The laws of the network ports: what holds for `Dial`, `HttpServerRequest.upgrade`, `HttpServer` and `HttpClient`, on simulated links
 * and between processes on real sockets. A law steers a world and looks at nothing but what the programs in it say.
 *
 * No law holds on one side alone. What one side says more of than a law, and why it is no law:
 *
 * - Who is killed: a kernel that lives on tells the peers at once; a node of the simulator is a host, and dies in silence, which is the
 *   harder case. The law is that both notice.
 * - Nobody listening: a live host refuses; the host of a killed node answers nothing, and dialling it times out.
 * - How much fits between a writer and a reader who reads nothing: 256 KiB and what was read ahead in the simulator, megabytes of
 *   kernels' buffers in reality. The law is that it ends.
 * - Memory: nodes of the simulator share one heap, so only processes are weighed.
 * - A head or a body that does not come (408), and a caller who speaks before he is let in: frames of the simulator are whole
 *   (`adapters/node/HttpServing.test.ts`). Frames that break RFC 6455 likewise (`adapters/websocket/WebSocketDial.test.ts`).
 * - Upgrades repeated by a middlebox, and TLS: neither is simulated, and nothing of ours speaks of the second.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { type CallerName, type Input, serverLimits } from "./NetworkPrograms.fixture.ts"

/** What was to hold did not; or a world could not do what was asked of it. */
export class LawBroken extends Data.TaggedError("LawBroken")<{ readonly message: string }> {}

/** A program as a process of its own. */
export interface Process {
  readonly name: string
  /** Everything that it has said. */
  readonly said: () => ReadonlyArray<string>
  /** Asked to end; its finalizers run. */
  readonly stop: Effect.Effect<void>
  /** Ends without a word. */
  readonly kill: Effect.Effect<void>
  /** Stands still, and keeps what it has open. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Mebibytes that it holds; undefined where nobody can tell. */
  readonly memoryMiB: () => number | undefined
}

export interface NetworkWorld {
  /** Starts the server; after the former one has ended, at the same address. */
  readonly serve: Effect.Effect<Process, LawBroken>
  /** The server's host is there, and nobody listens. */
  readonly vacant: Effect.Effect<void, LawBroken>
  /** Starts a caller of the server's address. */
  readonly call: (caller: CallerName, input: Omit<Input, "at">) => Effect.Effect<Process, LawBroken>
  /** Nothing passes between callers and server any more, and nobody is told. */
  readonly cut: Effect.Effect<void>
  /** What passes between callers and server is kept from now on; the returned effect lets it go. */
  readonly clog: Effect.Effect<Effect.Effect<void>>
  /** The next thing that passes is answered by a reset at both ends. */
  readonly reset: Effect.Effect<void>
  /** So many messages of 64 KiB are several times what the way between two programs holds. */
  readonly messagesMany: number
  /** How many connections callers have opened. */
  readonly connections: () => number
  /** Goes on until it holds; fails when it does not within the world's patience. */
  readonly until: (what: string, holds: () => boolean) => Effect.Effect<void, LawBroken>
}

export interface Law {
  readonly name: string
  /** It cuts, clogs, resets or counts what passes between callers and server. */
  readonly isOnTheWay?: true
  readonly holds: (world: NetworkWorld) => Effect.Effect<void, LawBroken>
}

const says = (world: NetworkWorld, process: Process, line: string, times = 1): Effect.Effect<void, LawBroken> =>
  world
    .until(`${process.name} says "${line}"`, () => process.said().filter((said) => said === line).length >= times)
    .pipe(
      Effect.mapError(
        ({ message }) => new LawBroken({ message: `${message}; it said: ${JSON.stringify(process.said().slice(-20))}` })
      )
    )

const hasSaid = (process: Process, expected: ReadonlyArray<string>): Effect.Effect<void, LawBroken> => {
  const [said, wanted] = [JSON.stringify(process.said()), JSON.stringify(expected)]
  return said === wanted
    ? Effect.void
    : Effect.fail(new LawBroken({ message: `${process.name} said ${said} instead of ${wanted}` }))
}

const isTrue = (holds: boolean, otherwise: string): Effect.Effect<void, LawBroken> =>
  holds ? Effect.void : Effect.fail(new LawBroken({ message: otherwise }))

/** Both ends of a session that is open and silent. */
const open = (world: NetworkWorld) =>
  Effect.gen(function* () {
    const server = yield* world.serve
    const client = yield* world.call("listen", { path: "/hold" })
    yield* says(world, client, "opened")
    yield* says(world, server, "hold opened")
    return { server, client }
  })

const bearer = { authorization: "Bearer right" }

export const laws: ReadonlyArray<Law> = [
  {
    name: "messages of a connection come whole, as what they were sent as, and in order",
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.serve
        const client = yield* world.call("converse", { path: "/echo", messages: 500 })
        yield* says(world, client, "500 echoed in order")
      })
  },
  {
    name: "whoever closes says a code and a reason, and both ends hear of it after everything that was said before",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const client = yield* world.call("listen", { path: "/close?code=4001" })
        yield* says(world, client, "closed 4001 go elsewhere")
        yield* hasSaid(client, ["opened", "heard last words", "closed 4001 go elsewhere"])
        yield* says(world, server, "close closed 4001 go elsewhere")
        const leaving = yield* world.call("leave", { path: "/hold", code: 3000 })
        yield* says(world, leaving, "closed 3000 bye")
        yield* says(world, server, "hold closed 3000 bye")
      })
  },
  {
    name: "a handler that is done closes with 1000, one that fails with 1011; a caller that is done with 1000",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        yield* says(world, yield* world.call("listen", { path: "/done" }), "closed 1000")
        yield* says(world, yield* world.call("listen", { path: "/fail" }), "closed 1011")
        yield* world.call("converse", { path: "/echo", messages: 2 })
        yield* says(world, server, "echo closed 1000")
      })
  },
  {
    name: "a server that is stopped tells its sessions 1001, answers what is under way, and refuses the next",
    holds: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* open(world)
        const asking = yield* world.call("ask", { path: "/slow" })
        yield* says(world, server, "asked")
        yield* server.stop
        yield* says(world, client, "closed 1001")
        yield* says(world, server, "hold was interrupted")
        yield* says(world, yield* world.call("listen", { path: "/hold" }), "not opened: Refused")
        yield* says(world, asking, "200 late")
      })
  },
  {
    name: "a caller that is stopped tells the server 1001",
    holds: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* open(world)
        yield* client.stop
        yield* says(world, server, "hold closed 1001")
      })
  },
  {
    name: "who is not let in hears so with the status, before anything is opened",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const stranger = yield* world.call("listen", { path: "/guarded", headers: { authorization: "Bearer wrong" } })
        yield* says(world, stranger, "not opened: Unauthorised")
        const lost = yield* world.call("listen", { path: "/elsewhere" })
        yield* says(world, lost, "not opened: Rejected")
        yield* hasSaid(server, [])
        const friend = yield* world.call("listen", { path: "/guarded", headers: bearer })
        yield* says(world, friend, "heard welcome")
        yield* hasSaid(server, ["guarded opened"])
      })
  },
  {
    name: "nobody listening is refused",
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.vacant
        yield* says(world, yield* world.call("listen", { path: "/hold" }), "not opened: Refused")
        yield* says(world, yield* world.call("ask", { path: "/hello" }), "TransportError")
      })
  },
  {
    name: "an upgrade that is not answered in time is given up, and the server notices",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const client = yield* world.call("listen", { path: "/never" })
        yield* says(world, client, "not opened: TimedOut")
        yield* says(world, server, "given up")
      })
  },
  {
    name: "a reset is 1006 at both ends",
    isOnTheWay: true,
    holds: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* open(world)
        yield* world.reset
        yield* says(world, client, "closed 1006")
        yield* says(world, server, "hold closed 1006")
      })
  },
  {
    name: "a connection that was cut is noticed at both ends, though nobody speaks",
    isOnTheWay: true,
    holds: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* open(world)
        yield* world.cut
        const millis = serverLimits.silentIntervalsMax * serverLimits.pingIntervalMillis
        yield* says(world, client, `closed 1006 nothing heard for ${millis} ms`)
        yield* says(world, server, `hold closed 1006 nothing heard for ${millis} ms`)
      })
  },
  {
    name: "a clog shorter than the patience of both ends costs time, and nothing else",
    isOnTheWay: true,
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.serve
        const client = yield* world.call("persist", { path: "/guarded", headers: bearer })
        yield* says(world, client, "heard welcome")
        const release = yield* world.clog
        const other = yield* world.call("converse", { path: "/echo", messages: 20 })
        yield* release
        yield* says(world, other, "20 echoed in order")
        yield* hasSaid(client, ["opened", "heard welcome"])
      })
  },
  {
    name: "a peer that stands still is given up; when it goes on it finds the connection gone",
    holds: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* open(world)
        yield* server.freeze
        const millis = serverLimits.silentIntervalsMax * serverLimits.pingIntervalMillis
        yield* says(world, client, `closed 1006 nothing heard for ${millis} ms`)
        yield* server.thaw
        yield* says(world, server, "hold closed 1006")
      })
  },
  {
    name: "a peer that dies without a word is noticed: 1006",
    holds: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* open(world)
        yield* client.kill
        yield* world.until("the server has noticed", () =>
          server.said().some((line) => line.startsWith("hold closed 1006"))
        )
        const other = yield* world.call("listen", { path: "/hold" })
        yield* says(world, other, "opened")
        yield* server.kill
        yield* world.until("the caller has noticed", () => other.said().some((line) => line.startsWith("closed 1006")))
      })
  },
  {
    name: "who dials again after the server died is let in again, by the same headers",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const client = yield* world.call("persist", { path: "/guarded", headers: bearer })
        yield* says(world, client, "heard welcome")
        yield* server.kill
        yield* world.until("the caller has noticed", () => client.said().some((line) => line.startsWith("closed 1006")))
        yield* world.serve
        yield* says(world, client, "heard welcome", 2)
      })
  },
  {
    name: "a caller waits while the server reads nothing, is not given up for it, and holds no more; then everything comes, in order",
    holds: (world) =>
      Effect.gen(function* () {
        const messages = world.messagesMany
        const server = yield* world.serve
        const client = yield* world.call("pour", { path: `/late?messages=${messages}`, messages })
        const waits = () => client.said().find((line) => line.startsWith("client waits after"))
        yield* world.until("the caller waits", () => waits() !== undefined)
        const written = Number(/\d+/.exec(waits() ?? "")?.[0])
        const millis = serverLimits.silentIntervalsMax * serverLimits.pingIntervalMillis
        yield* isTrue(written < (messages * 3) / 4, `the caller has written ${written} messages`)
        // A clock in the world: a request that takes longer than silence is borne.
        const clock = yield* world.call("ask", { path: "/never", timeoutMillis: millis * 2 })
        yield* says(world, clock, "TimeoutError")
        yield* hasSaid(client, ["opened", waits() ?? ""])
        const memoryMiB = client.memoryMiB()
        yield* isTrue(memoryMiB === undefined || memoryMiB < 200, `the caller holds ${memoryMiB} MiB`)
        yield* world.call("ask", { path: "/read" })
        yield* says(world, server, `late took ${messages} in order`)
        yield* says(world, client, "client wrote all")
        yield* says(world, client, "closed 1000")
      })
  },
  {
    name: "a server waits while a caller reads nothing, holds no more, and goes on when it does",
    holds: (world) =>
      Effect.gen(function* () {
        const messages = world.messagesMany
        const server = yield* world.serve
        const client = yield* world.call("sip", { path: `/pour?messages=${messages}`, messages })
        yield* world.until("the server waits", () => server.said().some((line) => line.startsWith("pour waits after")))
        yield* says(world, client, `client took ${messages} in order`)
        yield* says(world, server, "pour wrote all")
      })
  },
  {
    name: "a message of the limit passes",
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.serve
        const client = yield* world.call("large", { path: "/echo", bytes: serverLimits.frameBytesMax })
        yield* says(world, client, "echoed")
      })
  },
  {
    name: "a message above the other's limit ends the connection: 1009 for who sent it, an error for who did not take it",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const client = yield* world.call("large", { path: "/echo", bytes: serverLimits.frameBytesMax + 1 })
        yield* says(world, client, "closed 1009")
        yield* says(world, server, "echo could not read")
      })
  },
  {
    name: "a message above one's own limit is not sent, and costs nothing else",
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.serve
        const client = yield* world.call("tooLarge", { path: "/echo" })
        yield* says(world, client, "heard small")
        yield* hasSaid(client, ["opened", "could not write", "could not write", "heard small"])
      })
  },
  {
    name: "HTTP: a body of the limit is read, one above it is answered with 413",
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.serve
        const most = yield* world.call("ask", { path: "/length", method: "POST", bytes: 65_536 })
        yield* says(world, most, "200 65536")
        const more = yield* world.call("ask", { path: "/length", method: "POST", bytes: 65_537 })
        yield* says(world, more, "413")
      })
  },
  {
    name: "HTTP: who gives up in time or is killed while it waits is noticed, and its request is given up",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const impatient = yield* world.call("ask", { path: "/never", timeoutMillis: 500 })
        yield* says(world, impatient, "TimeoutError")
        yield* says(world, server, "given up")
        const stopped = yield* world.call("ask", { path: "/never", timeoutMillis: 60_000 })
        yield* says(world, server, "asked", 2)
        yield* stopped.stop
        yield* says(world, server, "given up", 2)
      })
  },
  {
    name: "HTTP: an answer that meets a reset is a transport error",
    isOnTheWay: true,
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const client = yield* world.call("ask", { path: "/slow" })
        yield* says(world, server, "asked")
        yield* world.reset
        yield* says(world, client, "TransportError")
      })
  },
  {
    name: "HTTP: whoever sends a body waits while nobody reads it, and holds no more; then all of it comes",
    holds: (world) =>
      Effect.gen(function* () {
        const messages = world.messagesMany
        const waits = (process: Process, who: string) =>
          Number(
            process
              .said()
              .find((line) => line.startsWith(`${who} waits after`))
              ?.replace(/\D/g, "")
          )
        const server = yield* world.serve
        const sending = yield* world.call("upload", { path: "/upload", messages })
        yield* world.until("the caller waits", () => waits(sending, "client") > 0)
        yield* isTrue(waits(sending, "client") < (messages * 3) / 4, `it has sent ${waits(sending, "client")}`)
        yield* world.call("ask", { path: "/read" })
        yield* says(world, sending, `uploaded ${messages * 65_536}`)
        const taking = yield* world.call("download", { path: `/download?messages=${messages}` })
        yield* world.until("the server waits", () => waits(server, "download") > 0)
        yield* isTrue(waits(server, "download") < (messages * 3) / 4, `it has sent ${waits(server, "download")}`)
        yield* says(world, taking, `downloaded ${messages * 65_536}`)
      })
  },
  {
    name: "HTTP: whoever waits for a server that dies is not left waiting",
    holds: (world) =>
      Effect.gen(function* () {
        const server = yield* world.serve
        const client = yield* world.call("ask", { path: "/never", timeoutMillis: 20_000 })
        yield* says(world, server, "asked")
        yield* server.kill
        yield* world.until("the caller has an error", () =>
          ["TransportError", "TimeoutError"].includes(client.said()[0] ?? "")
        )
      })
  },
  {
    name: "HTTP: requests one after the other share a connection",
    isOnTheWay: true,
    holds: (world) =>
      Effect.gen(function* () {
        yield* world.serve
        const before = world.connections()
        const client = yield* world.call("askMany", { path: "/hello", messages: 10 })
        yield* says(world, client, "200 hello", 10)
        const opened = world.connections() - before
        // A pool may open a second one while it puts the first one back.
        yield* isTrue(opened <= 2, `ten requests opened ${opened} connections`)
      })
  }
]
