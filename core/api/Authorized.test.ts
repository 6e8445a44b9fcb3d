/** What a request needs is asked of the gate as the gate can take it, and what its handler is given is no more than that. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { Access, anyone, type Principal, verbs } from "../identity/Access.ts"
import { Gate } from "../identity/Gate.ts"
import { leases, Storage } from "../ports/Storage.ts"
import { makeStorage } from "../storage/makeStorage.ts"
import type * as AgentsApi from "./AgentsApi.ts"
import { Api } from "./Api.ts"
import type * as AuditApi from "./AuditApi.ts"
import * as Authorized from "./Authorized.ts"
import type * as DeadLettersApi from "./DeadLettersApi.ts"
import type * as EventsApi from "./EventsApi.ts"
import type * as FleetsApi from "./FleetsApi.ts"
import type * as InspectionApi from "./InspectionApi.ts"
import type * as InstancesApi from "./InstancesApi.ts"
import type * as KeysApi from "./KeysApi.ts"
import type * as OperationsApi from "./OperationsApi.ts"
import type * as ProjectsApi from "./ProjectsApi.ts"
import type * as QuotasApi from "./QuotasApi.ts"

const asked = async (path: string, authorization?: string) => {
  const admitted: Array<readonly [token: string, project: string | undefined]> = []
  const gate = {
    admit: (token: string, _need: unknown, project: string | undefined) =>
      Effect.sync(() => {
        admitted.push([token, project])
        return anyone
      })
  }
  const route = HttpRouter.add(
    "GET",
    "/projects/:project",
    Authorized.guarded(gate, { verb: "read", of: "project" }, () => Effect.succeed(HttpServerResponse.empty()))
  )
  const { dispose, handler } = HttpRouter.toWebHandler(route, { disableLogger: true })
  const headers = authorization === undefined ? {} : { authorization }
  await handler(new Request(`http://n1/projects/${path}`, { headers }))
  await dispose()
  return admitted
}

describe("the gate", () => {
  it("is told the token, however the scheme is written, and nothing for another scheme", async () => {
    assert.deepStrictEqual(await asked("shop", "Bearer abc"), [["abc", "shop"]])
    assert.deepStrictEqual(await asked("shop", "bearer  abc "), [["abc", "shop"]])
    for (const other of [undefined, "Basic abc", "Bearer", "Bearer a b", "abc"]) {
      assert.deepStrictEqual(await asked("shop", other), [["", "shop"]])
    }
  })

  it("is never told of a project whose name is none: no store could hold it", async () => {
    for (const name of ["%00", "a%00b", "Shop", "a".repeat(64), "-a", "%F0%9F%92%A5"]) {
      assert.deepStrictEqual(await asked(name, "Bearer abc"), [["abc", undefined]], name)
    }
  })
})

type EachHasStorage<Layers extends ReadonlyArray<unknown>> = {
  readonly [L in keyof Layers]: HasStorage<Layers[L]>
}
type Groups = EachHasStorage<
  [
    typeof AgentsApi.layer,
    typeof AuditApi.layer,
    typeof DeadLettersApi.layer,
    typeof EventsApi.layer,
    typeof FleetsApi.layer,
    typeof InspectionApi.layer,
    typeof InstancesApi.layer,
    typeof KeysApi.layer,
    typeof OperationsApi.layer,
    typeof ProjectsApi.layer,
    typeof QuotasApi.layer
  ]
>
/** Whether handlers could come by a storage that was not made for their request. */
type HasStorage<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? (Storage extends R ? true : false) : never

/** For which project the storage is that the handler of an endpoint is given, where it is asked for the project "shop". */
const tenantOf = (endpoint: HttpApiEndpoint.Top, principal: Principal) =>
  Effect.gen(function* () {
    let tenant: string | undefined = "not asked"
    const storage = makeStorage({
      once: (_, { project }) => {
        tenant = project
        return Effect.succeed({ rows: [], count: 0 })
      },
      begin: ({ label }) => assert.fail(label)
    })
    const gate = Layer.succeed(Gate, { admit: () => Effect.succeed(principal), holds: () => Effect.void })
    const { bearer } = Context.get(
      yield* Layer.build(Layer.provide(Authorized.layer, [gate, Layer.succeed(Storage, storage)])),
      Authorized.Authorized
    )
    const handled = Effect.flatMap(Storage, ({ once }) => once((tx) => tx.count(leases), { label: "handled" })).pipe(
      Effect.orDie,
      Effect.as(HttpServerResponse.empty())
    )
    const params = { project: "shop", name: "web", uid: "web-1", key: "k", agent: "a" }
    const request = HttpServerRequest.fromWeb(new Request("http://n1/"))
    yield* bearer(handled, { credential: Redacted.make("t"), endpoint, group: undefined as never }).pipe(
      Effect.provideService(HttpRouter.RouteContext, { params, route: undefined as never }),
      Effect.provideService(HttpServerRequest.HttpServerRequest, request),
      Effect.provideService(HttpServerRequest.ParsedSearchParams, {})
    )
    return tenant
  }).pipe(Effect.scoped)

describe("the handlers", () => {
  it("have no other storage than the one that each request is given", () => {
    const none: Groups = [false, false, false, false, false, false, false, false, false, false, false]
    assert.lengthOf(none, Object.keys(Api.groups).length, "a group that is not looked at here")
  })

  it.effect("are given one for the project that they are asked for, or that their principal has", () =>
    Effect.gen(function* () {
      const someone = { name: "ci", keyId: null, verbs, projects: ["shop"] }
      const seen = new Set<string>()
      for (const group of Object.values(Api.groups)) {
        for (const endpoint of Object.values(group.endpoints) as ReadonlyArray<HttpApiEndpoint.Top>) {
          const { of } = Context.get(endpoint.annotations, Access)
          seen.add(of)
          assert.isTrue(of !== "project" || endpoint.path.includes("/:project"), endpoint.path)
          const everybody = of === "project" ? "shop" : undefined
          assert.strictEqual(yield* tenantOf(endpoint, anyone), everybody, endpoint.path)
          assert.strictEqual(
            yield* tenantOf(endpoint, { ...someone, projects: ["shop", "forge"] }),
            everybody,
            endpoint.path
          )
          assert.strictEqual(yield* tenantOf(endpoint, someone), of === "cluster" ? undefined : "shop", endpoint.path)
        }
      }
      assert.sameMembers([...seen], ["cluster", "instance", "project", "projects"])
    })
  )
})
