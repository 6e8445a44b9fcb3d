/**
 * Watching over server-sent events: `GET /v1/projects/:project/watch` and `GET /v1/watch`.
 *
 * `kinds` names what is watched, by default everything there is; `after`, or `Last-Event-ID`, goes on from a token of any node. 410:
 * that token is too old, and the next stream begins with a listing. Frames are `reset`, `changes` and `bookmark`; the `id` of each is
 * the token to go on from (`core/watch/WatchFrame.ts`).
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Gate } from "../identity/Gate.ts"
import { Watch } from "../watch/Watch.ts"
import { clusterKinds, type Filter, projectKinds, type WatchKind } from "../watch/WatchFrame.ts"
import { BadRequest } from "./ApiErrors.ts"
import { guarded } from "./Authorized.ts"
import { notFollowed, refusal } from "./problems.ts"
import { Name } from "./Views.ts"

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Watch | Gate> = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const watch = yield* Watch
    const gate = yield* Gate
    const answering = (isOfProject: boolean) =>
      guarded(gate, { verb: "read", of: isOfProject ? "project" : "cluster" }, () => opened(isOfProject))
    const opened = (isOfProject: boolean) =>
      Effect.gen(function* () {
        const params = yield* HttpRouter.params
        const asked = askedOf(yield* HttpServerRequest.HttpServerRequest, isOfProject ? params["project"] : undefined)
        if (asked instanceof BadRequest) return yield* asked
        const stream = yield* watch.open(asked.filter, asked.after)
        return HttpServerResponse.stream(Stream.encodeText(stream), {
          contentType: "text/event-stream",
          headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
        })
      }).pipe(
        Effect.catchTag("FeedError", notFollowed),
        Effect.catch((error) => Effect.succeed(refusal(error)))
      )
    yield* router.add("GET", "/v1/projects/:project/watch", answering(true))
    yield* router.add("GET", "/v1/watch", answering(false))
  })
)

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
    return new BadRequest({ detail: "path.project: lower case letters, digits and inner hyphens, at most 63" })
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
