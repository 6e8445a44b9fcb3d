/**
 * `GET /v1/agents/:agent/session`, upgraded to a WebSocket: the session of an agent (`core/session/SessionFrame.ts`). Who comes is counted
 * before he is looked at: 503 with Retry-After while too many come.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Gate } from "../identity/Gate.ts"
import { Admission } from "../session/Admission.ts"
import { AgentSessions } from "../session/AgentSessions.ts"
import { nameExpected } from "../ports/Text.ts"
import { BadRequest, UpgradeRequired } from "./ApiErrors.ts"
import { guarded, tokenOf } from "./Authorized.ts"
import { refusal } from "./problems.ts"
import { Name } from "./Views.ts"

const upgradeRequired = new UpgradeRequired({ detail: "send Connection: Upgrade and Upgrade: websocket" })

const need = { verb: "agent", of: "cluster" } as const

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Admission | AgentSessions | Gate> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const { enter } = yield* Admission
      const sessions = yield* AgentSessions
      const gate = yield* Gate
      const session = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        if (!isUpgrade(request)) {
          return refusal(upgradeRequired)
        }
        yield* enter
        return yield* guarded(gate, need, (principal) =>
          Effect.gen(function* () {
            const { agent } = yield* HttpRouter.params
            if (!Schema.is(Name)(agent)) {
              return refusal(new BadRequest({ detail: `path.agent: ${nameExpected}` }))
            }
            const token = tokenOf(request.headers["authorization"])
            const socket = yield* request.upgrade
            // However it ended, there is nobody left to tell.
            yield* Effect.ignore(sessions.serve(agent, socket, { token, need, project: undefined, principal }))
            return HttpServerResponse.empty()
          })
        )
      }).pipe(
        Effect.scoped,
        Effect.catchTags({
          HttpServerError: () => Effect.succeed(refusal(upgradeRequired)),
          Unavailable: (error) => Effect.succeed(refusal(error))
        })
      )
      yield* router.add("GET", "/v1/agents/:agent/session", session)
    })
  )

export const isUpgrade = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["upgrade"]?.toLowerCase() === "websocket"
