/**
 * Middleware of every endpoint: nobody comes to a handler but through the gate (`core/identity/Gate.ts`), and a handler has no other storage than
 * the one that it is given here: of the project that was asked for, where one was.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Context from "effect/Context"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { assert } from "../assert.ts"
import { Access, Asking, everyProject, type Need, type Principal } from "../identity/Access.ts"
import { Gate } from "../identity/Gate.ts"
import { Storage } from "../ports/Storage.ts"
import { forProject } from "../storage/makeStorage.ts"
import { Forbidden, TooManyRequests, Unauthenticated, Unavailable } from "./ApiErrors.ts"
import { refusal } from "./problems.ts"
import { Name } from "./Views.ts"

export class Authorized extends HttpApiMiddleware.Service<Authorized, { provides: Asking | Storage }>()(
  "stormglass/core/api/Authorized",
  { error: [Unauthenticated, Forbidden, TooManyRequests, Unavailable], security: { bearer: HttpApiSecurity.bearer } }
) {}

export const layer: Layer.Layer<Authorized, never, Gate | Storage> = Layer.effect(
  Authorized,
  Effect.gen(function* () {
    const { admit } = yield* Gate
    const storage = yield* Storage
    return {
      bearer: (handled, { credential, endpoint }) =>
        Effect.gen(function* () {
          const params = yield* HttpRouter.params
          const need = Context.get(endpoint.annotations, Access)
          const admitted = yield* Effect.result(admit(Redacted.value(credential), need, projectOf(need, params)))
          if (admitted._tag === "Failure") return refusal(admitted.failure)
          const principal = admitted.success
          const tenant = tenantOf(need, params, principal)
          const its = tenant === undefined ? storage : forProject(storage, tenant)
          return yield* Effect.provideContext(handled, Context.add(Context.make(Asking, principal), Storage, its))
        })
    }
  })
)

/** The same for a route that is no endpoint of the API. */
export const guarded = <E, R>(
  { admit }: Pick<Gate["Service"], "admit">,
  need: Need,
  handled: (principal: Principal) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  R | HttpRouter.RouteContext | HttpServerRequest.HttpServerRequest
> =>
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const params = yield* HttpRouter.params
    const admitted = yield* Effect.result(admit(tokenOf(headers["authorization"]), need, projectOf(need, params)))
    return admitted._tag === "Failure" ? refusal(admitted.failure) : yield* handled(admitted.success)
  })

export const tokenOf = (header: string | undefined): string => /^bearer +(\S+) *$/i.exec(header ?? "")?.[1] ?? ""

/** What is no name is no project: the endpoint says so to whoever may ask for all. */
const projectOf = ({ of }: Need, params: Readonly<Record<string, string | undefined>>): string | undefined =>
  of === "project" && isName(params["project"]) ? params["project"] : undefined

/**
 * Whose rows the handler may see. The project of an instance is not known before its row is read, and of projects all are asked for that there are: there
 * it is the one project of who has no other, and for who has several the handler alone tells them apart.
 */
function tenantOf(
  { of }: Need,
  params: Readonly<Record<string, string | undefined>>,
  { projects }: Principal
): string | undefined {
  if (of === "cluster") return undefined
  if (of === "instance" || of === "projects")
    return projects.length === 1 && projects[0] !== everyProject ? projects[0] : undefined
  const project = params["project"]
  assert(project !== undefined, "an endpoint of a project names it in its path")
  // Also what is no name, which the endpoint refuses: it has no rows.
  return project
}

const isName = Schema.is(Name)
