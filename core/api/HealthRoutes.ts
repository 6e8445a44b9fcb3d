/**
 * Health, for supervisors and load balancers: `/live` while the process answers at all, `/started` once it has joined, `/ready` while
 * requests should come here: the store answers, and the process is not about to stop. A store that is lost makes a node not
 * ready; to restart it would mend nothing.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { healthTimeoutMillis } from "../Limits.ts"
import { members } from "../member/Member.ts"
import { Membership } from "../member/Membership.ts"
import { Storage } from "../ports/Storage.ts"

export interface HealthOptions {
  /** True from the moment that the process was asked to stop. */
  readonly isStopping: () => boolean
}

export const layer = (
  options: HealthOptions
): Layer.Layer<never, never, HttpRouter.HttpRouter | Storage | Membership> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const { once } = yield* Storage
      // Built after the node has joined: whoever can ask finds it started.
      const { self } = yield* Membership
      const store = once((tx) => tx.get(members, { id: self.id }), { label: "health/ready" }).pipe(
        Effect.timeoutOption(`${healthTimeoutMillis} millis`),
        Effect.map((answer) => (answer._tag === "None" ? `no answer in ${healthTimeoutMillis} ms` : undefined)),
        Effect.catch((error) => Effect.succeed(error.message))
      )
      const ready = Effect.gen(function* () {
        if (options.isStopping()) return answer(503, { status: "stopping" })
        const problem = yield* store
        return problem === undefined
          ? answer(200, { status: "ready", store: "ok" })
          : answer(503, { status: "not ready", store: problem })
      })
      yield* router.add("GET", "/live", Effect.succeed(answer(200, { status: "live" })))
      yield* router.add("GET", "/started", Effect.succeed(answer(200, { status: "started" })))
      yield* router.add("GET", "/ready", ready)
    })
  )

const answer = (status: number, document: Readonly<Record<string, string>>) =>
  HttpServerResponse.text(JSON.stringify(document), { status, contentType: "application/json" })
