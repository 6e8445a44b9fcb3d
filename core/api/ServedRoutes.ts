/**
 * What is served, noted as it is added: for whoever asks a path for what it does not do (405 with what it does, where an unknown path
 * is 404), and for whoever compares it with what is documented.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { MethodNotAllowed } from "./ApiErrors.ts"
import { problemsOnly, refusal } from "./problems.ts"
import { tellPanics } from "./tellPanics.ts"

/** Of each path, "/v1/projects/:project/fleets", its methods. */
export class ServedRoutes extends Context.Service<ServedRoutes, ReadonlyMap<string, ReadonlySet<string>>>()(
  "stormglass/core/api/ServedRoutes"
) {}

class Noted extends Context.Service<Noted, ReadonlyMap<string, ReadonlySet<string>>>()(
  "stormglass/core/api/ServedRoutes/Noted"
) {}

/** A router that notes what is added. */
const noting = Layer.effectContext(
  Effect.map(HttpRouter.HttpRouter, (router) => {
    const served = new Map<string, Set<string>>()
    const note = (method: string, path: string): void => {
      const methods = served.get(path)
      if (methods === undefined) served.set(path, new Set([method]))
      else methods.add(method)
    }
    const noted: HttpRouter.HttpRouter = {
      ...router,
      add: (method, path, handler, options) => {
        note(method, path)
        return router.add(method, path, handler, options)
      },
      addAll: (routes) => {
        for (const { method, path } of routes) note(method, path)
        return router.addAll(routes)
      }
    }
    return Context.make(HttpRouter.HttpRouter, noted).pipe(Context.add(Noted, served))
  })
)

/** HEAD is asked wherever GET is. */
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

const refusing = Layer.effect(
  ServedRoutes,
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const served = new Map([...(yield* Noted)].map(([path, its]) => [path, new Set(its)]))
    for (const [path, its] of served) {
      if (its.has("*")) continue
      const allowed = methods.filter((method) => its.has(method))
      const detail = `${path} takes ${allowed.join(", ")}`
      const answer = refusal(new MethodNotAllowed({ detail, allowed }))
      for (const method of methods) {
        if (!its.has(method)) yield* router.add(method, path as HttpRouter.PathInput, answer)
      }
    }
    yield* router.addGlobalMiddleware((handled) => problemsOnly(tellPanics(handled)))
    return served
  })
)

/** The routes of `app`; with them whatever is refused, by whomever, is a problem document, and a defect is told. */
export const layer = <R>(
  app: Layer.Layer<never, never, R>
): Layer.Layer<ServedRoutes, never, HttpRouter.HttpRouter | Exclude<R, HttpRouter.HttpRouter>> =>
  refusing.pipe(Layer.provide(app), Layer.provide(noting)) as never
