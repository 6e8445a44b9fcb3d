/**
 * Watching: `GET /v1/projects/:project/watch` and `GET /v1/watch`, as server-sent events, or, where an upgrade is asked for, as messages of
 * a WebSocket, which ends with a close code that says why (`core/session/SessionEnd.ts`). Both end with the key by which they were opened.
 *
 * `kinds` names what is watched, by default everything there is; `after`, or `Last-Event-ID`, goes on from a token of any node. 410:
 * that token is too old, and the next stream begins with a listing. Frames are `reset`, `changes` and `bookmark`; the `id` of each is
 * the token to go on from (`core/watch/WatchFrame.ts`).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Socket from "effect/socket/Socket"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { isUpgrade } from "./SessionRoutes.ts"
import { Gate } from "../identity/Gate.ts"
import { Watch } from "../watch/Watch.ts"
import { clusterKinds, type Filter, projectKinds, type WatchKind } from "../watch/WatchFrame.ts"
import * as KeyHeld from "../session/KeyHeld.ts"
import { Admission } from "../session/Admission.ts"
import { reasonOf, SessionEnd } from "../session/SessionEnd.ts"
import { BadRequest, UpgradeRequired } from "./ApiErrors.ts"
import { nameExpected } from "../ports/Text.ts"
import { guarded, tokenOf } from "./Authorized.ts"
import { notFollowed, refusal } from "./problems.ts"
import { Name } from "./Views.ts"

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Watch | Gate | Admission> = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const watch = yield* Watch
    const gate = yield* Gate
    const { enter } = yield* Admission
    const answering = (isOfProject: boolean) => {
      const need = { verb: "read", of: isOfProject ? "project" : "cluster" } as const
      const opened = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        // A place is held for as long as a WebSocket is open; of the other streams there are `watchersMax`.
        yield* isUpgrade(request) ? enter : Effect.scoped(enter)
        return yield* guarded(gate, need, (principal) =>
          Effect.gen(function* () {
            const { project } = yield* HttpRouter.params
            const asked = askedOf(request, isOfProject ? project : undefined)
            if (asked instanceof BadRequest) return yield* asked
            const token = tokenOf(request.headers["authorization"])
            const held = { token, need, project: isOfProject ? project : undefined, principal }
            if (isUpgrade(request)) return yield* bySocket(request, asked, held)
            const telling = yield* watch.open(asked.filter, asked.after)
            const key = yield* KeyHeld.make(gate, held)
            return HttpServerResponse.stream(
              // No fiber between the watch and who takes what it tells: it ends whoever is too slow.
              Stream.scoped(Stream.fromPull(telling)).pipe(
                Stream.tap(() => key.require),
                Stream.catchTag("SessionEnd", () => Stream.empty),
                Stream.encodeText
              ),
              {
                contentType: "text/event-stream",
                headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
              }
            )
          }).pipe(
            Effect.catchTag("FeedError", notFollowed),
            Effect.catch((error) => Effect.succeed(refusal(error)))
          )
        )
      })
      return opened.pipe(
        Effect.scoped,
        Effect.catch((error) => Effect.succeed(refusal(error)))
      )
    }
    const bySocket = Effect.fnUntraced(function* (
      request: HttpServerRequest.HttpServerRequest,
      { after, filter }: Asked,
      held: KeyHeld.Held
    ) {
      const begun = yield* Effect.result(watch.open(filter, after, "messages"))
      const isPast = begun._tag === "Failure" && ["Compacted", "ForeignCursor"].includes(begun.failure.reason._tag)
      if (begun._tag === "Failure" && !isPast) return yield* notFollowed(begun.failure)
      const telling =
        begun._tag === "Success"
          ? begun.success
          : Effect.succeed(Effect.fail(new SessionEnd("compacted", begun.failure.reason.message)))
      const socket = yield* Effect.catchTag(request.upgrade, "HttpServerError", () =>
        Effect.fail(new UpgradeRequired({ detail: "send Connection: Upgrade and Upgrade: websocket" }))
      )
      // However it ended, there is nobody left to tell.
      yield* Effect.ignore(told(socket, telling, yield* KeyHeld.make(gate, held)))
      return HttpServerResponse.empty()
    })
    yield* router.add("GET", "/v1/projects/:project/watch", answering(true))
    yield* router.add("GET", "/v1/watch", answering(false))
  })
)

/** Tells a stream until it ends, the key does, or who watches says anything. */
const told = Effect.fnUntraced(function* (
  socket: Socket.Socket,
  begin: Effect.Effect<Pull.Pull<readonly [string], SessionEnd>, never, Scope.Scope>,
  key: KeyHeld.KeyHeld
) {
  const { pull } = yield* socket.reader
  const { write } = yield* socket.writer
  const next = yield* begin
  const tell = Effect.flatMap(next, ([text]) => Effect.andThen(key.require, write(text)))
  // Each waits for its next text, or for its reader: none keeps the others from their turn.
  const telling = yield* Effect.forkScoped(
    Pull.catchDone(Effect.forever(tell, { disableYield: true }), () => Effect.void)
  )
  const over = Effect.flatMap(Fiber.await(telling), (exit): Effect.Effect<never, SessionEnd | Socket.SocketError> => {
    if (exit._tag === "Success") return Effect.fail(new SessionEnd("goOn", "go on from the last token"))
    // By the watch: nobody else does.
    return Cause.hasInterruptsOnly(exit.cause)
      ? Effect.fail(new SessionEnd("tooSlow", "what is told is not taken: go on from the last token"))
      : Effect.failCause(exit.cause)
  })
  const silence = Effect.flatMap(pull, ([message]) =>
    Effect.fail(
      typeof message === "string"
        ? new SessionEnd("outOfProtocol", "who watches says nothing")
        : new SessionEnd("notText", "who watches says nothing")
    )
  )
  yield* Effect.raceAllFirst([over, silence, key.watch]).pipe(
    Effect.catchTag("SessionEnd", (end) => write(new Socket.CloseEvent(end.code, reasonOf(end))))
  )
}, Effect.scoped)

interface Asked {
  readonly filter: Filter
  readonly after: string | undefined
}

/** `project` undefined: of the whole control plane. */
function askedOf(
  { headers, url }: HttpServerRequest.HttpServerRequest,
  project: string | undefined
): Asked | BadRequest {
  if (project !== undefined && !Schema.is(Name)(project)) {
    return new BadRequest({ detail: `path.project: ${nameExpected}` })
  }
  const query = new URLSearchParams(url.split("?")[1] ?? "")
  for (const key of query.keys()) {
    if (key !== "kinds" && key !== "after") return new BadRequest({ detail: `query: only kinds and after are known` })
    if (query.getAll(key).length > 1) return new BadRequest({ detail: `query.${key}: given more than once` })
  }
  const known: ReadonlyArray<WatchKind> = project === undefined ? clusterKinds : projectKinds
  const named = query.get("kinds")?.split(",") ?? known
  const kinds = known.filter((kind) => named.includes(kind))
  if (kinds.length < new Set(named).size) {
    return new BadRequest({ detail: `query.kinds: any of ${known.join(", ")}, separated by commas` })
  }
  return { filter: { project, kinds }, after: query.get("after") ?? headers["last-event-id"] }
}
