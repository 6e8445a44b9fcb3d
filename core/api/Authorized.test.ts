/** What a request needs is asked of the gate as the gate can take it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { anyone } from "../identity/Access.ts"
import { guarded } from "./Authorized.ts"

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
    guarded(gate, { verb: "read", of: "project" }, () => Effect.succeed(HttpServerResponse.empty()))
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
