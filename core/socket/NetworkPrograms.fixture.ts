/**
 * Programs of the network's contract, written against nothing but Effect's interfaces and `Dial`: each world runs them as
 * processes of its own, and the laws are about what they say.
 */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as Dial from "../ports/Dial.ts"
import type * as LiveSocket from "./LiveSocket.ts"

/** How a program is heard. */
export class Say extends Context.Service<Say, (line: string) => Effect.Effect<void>>()(
  "stormglass/core/socket/NetworkPrograms/Say"
) {}

const say = (line: string) => Effect.flatMap(Say, (speak) => speak(line))

/** The limits of the contract's server, tight so that laws about them take seconds. */
export const serverLimits: LiveSocket.Limits = {
  frameBytesMax: 1_048_576,
  pingIntervalMillis: 500,
  silentIntervalsMax: 4,
  openTimeoutMillis: 1_500
}

/** Clients may send what the server does not take. */
export const clientLimits: LiveSocket.Limits = { ...serverLimits, frameBytesMax: 4_194_304 }

const bodyBytesMax = 65_536
/** A write that has taken so long waits for room. */
const waitsMillis = 1_000

type Served = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  HttpServerError.HttpServerError,
  HttpServerRequest.HttpServerRequest | Say
>

/** Upgrades, and tells how it ended: by the connection, or by the handler's own doing. */
const session = (
  name: string,
  body: (socket: Socket.Socket, pull: Pull) => Effect.Effect<unknown, Socket.SocketError | string, Scope.Scope | Say>
): Served =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const socket = yield* request.upgrade
    const talking = Effect.gen(function* () {
      const { pull } = yield* socket.reader
      yield* say(`${name} opened`)
      yield* body(socket, pull)
    }).pipe(
      Effect.scoped,
      Effect.onExit((exit) => {
        if (exit._tag === "Success") return say(`${name} is done`)
        const failure = Cause.findErrorOption(exit.cause)
        if (failure._tag === "None") return say(`${name} was interrupted`)
        return say(`${name} ${typeof failure.value === "string" ? failure.value : describe(failure.value)}`)
      })
    )
    yield* Effect.ignore(talking)
    return HttpServerResponse.empty()
  })

type Pull = Socket.Reader["pull"]

const drain = (pull: Pull) => Effect.forever(pull)

const echo = (socket: Socket.Socket, pull: Pull) =>
  Effect.gen(function* () {
    const { write } = yield* socket.writer
    for (;;) for (const message of yield* pull) yield* write(message)
  })

/** Writes so many messages, and says once that it has to wait. */
const pour = (
  socket: Socket.Socket,
  options: { readonly messages: number; readonly bytes: number; readonly as: string }
) =>
  Effect.gen(function* () {
    const { write } = yield* socket.writer
    let hasWaited = false
    for (let nth = 0; nth < options.messages; nth++) {
      const writing = yield* Effect.forkChild(write(numbered(nth, options.bytes)))
      const outcome = yield* Effect.timeoutOption(Fiber.await(writing), waitsMillis)
      if (outcome._tag === "None" && !hasWaited) {
        hasWaited = true
        yield* say(`${options.as} waits after ${nth} messages`)
      }
      yield* Fiber.join(writing)
    }
    yield* say(`${options.as} wrote all`)
  })

/** Takes so many messages and says whether they are those that were poured, in order. */
const takeNumbered = (
  pull: Pull,
  options: { readonly messages: number; readonly bytes: number; readonly as: string }
) =>
  Effect.gen(function* () {
    let taken = 0
    while (taken < options.messages) {
      for (const message of yield* pull) {
        if (!isNumbered(message, taken, options.bytes))
          return yield* say(`${options.as} took another message instead of ${taken}`)
        taken++
      }
    }
    yield* say(`${options.as} took ${taken} in order`)
  })

const numbered = (nth: number, bytes: number): Uint8Array => {
  const message = new Uint8Array(bytes).fill(nth % 251)
  new DataView(message.buffer).setUint32(0, nth)
  return message
}

/** Compared by what tells one from another, as there are many. */
const isNumbered = (message: Uint8Array | string, nth: number, bytes: number): boolean => {
  if (typeof message === "string" || message.length !== bytes) return false
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  return view.getUint32(0) === nth && message.at(-1) === nth % 251
}

const isSame = (left: Uint8Array | string, right: Uint8Array | string): boolean => {
  if (typeof left === "string" || typeof right === "string") return left === right
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

/** A body of so many pieces, whose sender says once that it was asked for no more for a while. */
const counted = (options: { readonly messages: number; readonly as: string }) =>
  Effect.gen(function* () {
    const speak = yield* Say
    let sent = 0
    let hasWaited = false
    const watch = Effect.gen(function* () {
      for (let before = -1; !hasWaited && sent < options.messages;) {
        before = sent
        yield* Effect.sleep(waitsMillis)
        if (sent !== before || sent === 0) continue
        hasWaited = true
        yield* speak(`${options.as} waits after ${sent} messages`)
      }
    })
    const pieces = Stream.fromEffectRepeat(
      Effect.sync(() => {
        sent++
        return new Uint8Array(floodBytes)
      })
    ).pipe(Stream.take(options.messages))
    return Stream.mergeEffect(pieces, watch)
  })

const bytesOf = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Stream.runFold(
    stream,
    () => 0,
    (sum, { length }) => sum + length
  )

/** How a connection ended, or why there was none. */
export const describe = (error: Socket.SocketError): string => {
  const failed = Dial.dialErrorOf(error)
  if (failed !== undefined) return `not opened: ${failed.reason._tag}`
  switch (error.reason._tag) {
    case "SocketCloseError":
      return `closed ${error.reason.code}${error.reason.closeReason ? ` ${error.reason.closeReason}` : ""}`
    case "SocketWriteError":
      return "could not write"
    case "SocketReadError":
      return "could not read"
    default:
      return error.reason._tag
  }
}

const floodBytes = 65_536
const flood = (parameters: URLSearchParams) => ({ messages: Number(parameters.get("messages")), bytes: floodBytes })

/** The server of every law. */
export const server: Layer.Layer<never, never, HttpServer.HttpServer | Say> = Layer.unwrap(
  Effect.gen(function* () {
    const mayRead = yield* Deferred.make<void>()
    const app: Served = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { pathname, searchParams } = new URL(request.url, "http://server")
      switch (pathname) {
        case "/hello":
          return HttpServerResponse.text("hello")
        case "/length":
          return HttpServerResponse.text(String((yield* request.arrayBuffer).byteLength))
        case "/never":
          return yield* say("asked").pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => say("given up"))
          )
        case "/slow":
          yield* say("asked")
          yield* Effect.sleep("3 seconds")
          return HttpServerResponse.text("late")
        case "/upload":
          yield* Deferred.await(mayRead)
          return HttpServerResponse.text(String(yield* bytesOf(request.stream)))
        case "/download":
          return HttpServerResponse.stream(
            yield* counted({ messages: Number(searchParams.get("messages")), as: "download" })
          )
        case "/read":
          yield* Deferred.succeed(mayRead, undefined)
          return HttpServerResponse.empty()
        case "/guarded":
          if (request.headers["authorization"] !== "Bearer right") return HttpServerResponse.empty({ status: 401 })
          return yield* session("guarded", (socket, pull) =>
            Effect.gen(function* () {
              const { write } = yield* socket.writer
              yield* write("welcome")
              return yield* drain(pull)
            })
          )
        case "/elsewhere":
          return HttpServerResponse.empty({ status: 404 })
        case "/echo":
          return yield* session("echo", echo)
        case "/hold":
          return yield* session("hold", (_socket, pull) => drain(pull))
        case "/close":
          return yield* session("close", (socket, pull) =>
            Effect.gen(function* () {
              const { write } = yield* socket.writer
              yield* write("last words")
              yield* write(new Socket.CloseEvent(Number(searchParams.get("code")), "go elsewhere"))
              return yield* drain(pull)
            })
          )
        case "/done":
          return yield* session("done", () => Effect.void)
        case "/fail":
          return yield* session("fail", () => Effect.fail("failed"))
        case "/late":
          return yield* session("late", (_socket, pull) =>
            Deferred.await(mayRead).pipe(Effect.andThen(takeNumbered(pull, { ...flood(searchParams), as: "late" })))
          )
        case "/pour":
          return yield* session("pour", (socket, pull) =>
            Effect.andThen(pour(socket, { ...flood(searchParams), as: "pour" }), drain(pull))
          )
        default:
          return HttpServerResponse.empty({ status: 404 })
      }
    }).pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodyBytesMax)))
    // As a router does for its handlers: what serves them runs uninterruptibly.
    return HttpServer.serve(Effect.interruptible(app))
  })
)

export interface Input {
  /** host:port of the server. */
  readonly at: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: "GET" | "POST"
  /** Of the body, or of a message. */
  readonly bytes?: number
  readonly messages?: number
  readonly code?: number
  readonly timeoutMillis?: number
}

type Caller = (input: Input) => Effect.Effect<void, never, Dial.Dial | HttpClient.HttpClient | Say>

/** Opens a socket, says how it ended. */
const calling = (
  input: Input,
  body: (socket: Socket.Socket, pull: Pull) => Effect.Effect<unknown, Socket.SocketError, Scope.Scope | Say>
) =>
  Effect.gen(function* () {
    const socket = yield* Dial.dial(`ws://${input.at}${input.path}`, { headers: input.headers ?? {} })
    const { pull } = yield* socket.reader
    yield* say("opened")
    yield* body(socket, pull)
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SocketError", (error) => say(describe(error)))
  )

const hear = (pull: Pull) =>
  Effect.forever(
    Effect.flatMap(pull, (messages) =>
      Effect.forEach(messages, (message) =>
        say(typeof message === "string" ? `heard ${message}` : `heard ${message.length} bytes`)
      )
    )
  )

/** Asks by HTTP, and says the status and the answer. */
const ask = (input: Input) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const url = `http://${input.at}${input.path}`
    const body = input.bytes === undefined ? HttpBody.empty : HttpBody.uint8Array(new Uint8Array(input.bytes))
    const response = yield* input.method === "POST" ? client.post(url, { body }) : client.get(url)
    return `${response.status} ${yield* response.text}`.trimEnd()
  }).pipe(
    Effect.timeout(input.timeoutMillis ?? 10_000),
    Effect.match({
      onSuccess: (answer) => answer,
      onFailure: (error) => (error._tag === "HttpClientError" ? error.reason._tag : error._tag)
    }),
    Effect.flatMap(say)
  )

const callers = {
  /** Opens and listens to the end. */
  listen: (input) => calling(input, (_socket, pull) => hear(pull)),

  /** Has texts and bytes echoed, many at once, and compares. */
  converse: (input) =>
    calling(input, (socket, pull) =>
      Effect.gen(function* () {
        const { write } = yield* socket.writer
        const sent = Array.from({ length: input.messages ?? 0 }, (_, nth) =>
          nth % 2 === 0 ? `message ${nth} ${"é".repeat(nth % 7)}` : numbered(nth, 4 + (nth % 300))
        )
        yield* Effect.forkScoped(Effect.forEach(sent, write, { discard: true }))
        const heard: Array<Uint8Array | string> = []
        while (heard.length < sent.length) heard.push(...(yield* pull))
        const wrong = sent.findIndex((message, nth) => !isSame(message, heard[nth] ?? ""))
        yield* say(wrong < 0 ? `${heard.length} echoed in order` : `message ${wrong} came as another`)
      })
    ),

  /** Has one message of `bytes` echoed. */
  large: (input) =>
    calling(input, (socket, pull) =>
      Effect.gen(function* () {
        const { write } = yield* socket.writer
        const message = numbered(7, input.bytes ?? 0)
        // Where it fails, the reader says why.
        yield* Effect.ignore(write(message))
        const [echoed] = yield* pull
        yield* say(isSame(message, echoed) ? "echoed" : "echoed differently")
      })
    ),

  /** Writes a message that it may not, and then one that it may. */
  tooLarge: (input) =>
    calling(input, (socket, pull) =>
      Effect.gen(function* () {
        const { write } = yield* socket.writer
        const { frameBytesMax } = clientLimits
        for (const message of [new Uint8Array(frameBytesMax + 1), "é".repeat(frameBytesMax / 2 + 1)]) {
          yield* Effect.catchTag(write(message), "SocketError", (error) => say(describe(error)))
        }
        yield* write("small")
        return yield* hear(pull)
      })
    ),

  /** Closes with `code`, and listens to the end. */
  leave: (input) =>
    calling(input, (socket, pull) =>
      Effect.gen(function* () {
        const { write } = yield* socket.writer
        yield* write(new Socket.CloseEvent(input.code ?? 1000, "bye"))
        return yield* hear(pull)
      })
    ),

  /** Writes more than fits, and listens to the end. */
  pour: (input) =>
    calling(input, (socket, pull) =>
      Effect.andThen(pour(socket, { messages: input.messages ?? 0, bytes: floodBytes, as: "client" }), hear(pull))
    ),

  /** Reads nothing for a while, and then everything. */
  sip: (input) =>
    calling(input, (_socket, pull) =>
      Effect.sleep("4 seconds").pipe(
        Effect.andThen(takeNumbered(pull, { messages: input.messages ?? 0, bytes: floodBytes, as: "client" })),
        Effect.andThen(Effect.never)
      )
    ),

  /** Opens again and again, with what it was given to be let in by. */
  persist: (input) =>
    Effect.forever(
      Effect.andThen(
        calling(input, (_socket, pull) => hear(pull)),
        Effect.sleep("200 millis")
      )
    ),

  ask,

  /** Sends a body of so many pieces, and says the answer. */
  upload: (input) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const body = HttpBody.stream(yield* counted({ messages: input.messages ?? 0, as: "client" }))
      const response = yield* client.post(`http://${input.at}${input.path}`, { body })
      return yield* response.text
    }).pipe(
      Effect.match({ onSuccess: (text) => `uploaded ${text}`, onFailure: ({ reason }) => reason._tag }),
      Effect.flatMap(say)
    ),

  /** Reads nothing of an answer for a while, and then everything. */
  download: (input) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const response = yield* client.get(`http://${input.at}${input.path}`)
      yield* Effect.sleep("4 seconds")
      return yield* bytesOf(response.stream)
    }).pipe(
      Effect.match({ onSuccess: (bytes) => `downloaded ${bytes}`, onFailure: ({ reason }) => reason._tag }),
      Effect.flatMap(say)
    ),

  /** Asks as often as `messages` says, one after the other. */
  askMany: (input) => Effect.forEach(Array.from({ length: input.messages ?? 0 }), () => ask(input), { discard: true })
} satisfies Readonly<Record<string, Caller>>

export type CallerName = keyof typeof callers

export const callerOf = (name: CallerName): Caller => callers[name]
