import fs from "node:fs"
import path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as ConsoleRoutes from "./ConsoleRoutes.ts"

const root = path.join(import.meta.dirname, "..", "..")

const { dispose, handler } = HttpRouter.toWebHandler(ConsoleRoutes.layer, { disableLogger: true })
afterAll(dispose)

const ask = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.promise(() => handler(new Request(`http://node${path}`, { headers, redirect: "manual" })))
const textOf = (response: Response) => Effect.promise(() => response.text())

describe("the console", () => {
  it.live("is where the root leads, and names only files that are served, of the type that they are", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("/")).headers.get("location"), "/console")
      const page = yield* ask("/console")
      const text = yield* textOf(page)
      assert.strictEqual(page.headers.get("content-type"), "text/html; charset=utf-8")
      const named = [...text.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, file]) => file!)
      const types: Array<string | null> = []
      for (const file of named) types.push((yield* ask(file)).headers.get("content-type"))
      assert.deepStrictEqual(types, ["image/svg+xml", "text/css; charset=utf-8", "text/javascript; charset=utf-8"])
    })
  )

  it.live("comes under a policy that lets nothing else in, and has nothing inline that the policy would refuse", () =>
    Effect.gen(function* () {
      const page = yield* ask("/console")
      assert.match(page.headers.get("content-security-policy")!, /^default-src 'self'; /)
      assert.notMatch(page.headers.get("content-security-policy")!, /unsafe|\*|http/)
      assert.strictEqual(page.headers.get("x-content-type-options"), "nosniff")
      assert.notMatch(yield* textOf(page), /<style|style=|\son\w+=|<script(?! type="module" src=)|https?:/)
    })
  )

  it.live("is not sent again to who has it, and is sent to who has another version", () =>
    Effect.gen(function* () {
      const etag = (yield* ask("/console")).headers.get("etag")!
      const again = yield* ask("/console", { "if-none-match": `"older", W/${etag}` })
      assert.deepStrictEqual([again.status, yield* textOf(again), again.headers.get("etag")], [304, "", etag])
      assert.strictEqual((yield* ask("/console", { "if-none-match": '"older"' })).status, 200)
    })
  )

  it.live("serves no file besides its own", () =>
    Effect.gen(function* () {
      for (const file of [
        "core/ControlPlane.ts",
        "adapters/console/ConsoleRoutes.ts",
        "../package.json",
        "%2e%2e/package.json"
      ]) {
        assert.strictEqual((yield* ask(`/console/${file}`)).status, 404, file)
      }
    })
  )

  it("serves every module that the page imports, and no other; what comes of types alone stays here", async () => {
    const reached = new Set<string>()
    const visit = async (file: string): Promise<void> => {
      if (reached.has(file)) return
      reached.add(file)
      const response = await handler(new Request(`http://node/console/${file}`))
      assert.strictEqual(response.status, 200, file)
      const text = await response.text()
      for (const [, specifier] of text.matchAll(/\bfrom "([^"]+)"/g)) {
        assert.match(specifier!, /^\./, `${file} imports ${specifier}`)
        await visit(path.join(path.dirname(file), specifier!))
      }
    }
    await visit("adapters/console/page/main.ts")
    assert.deepStrictEqual([...reached].toSorted(), ConsoleRoutes.modules.map((name) => `${name}.ts`).toSorted())
  })

  it("is small", () => {
    const sizes = ConsoleRoutes.modules.map((name) => fs.statSync(path.join(root, `${name}.ts`)).size)
    assert.isBelow(
      sizes.reduce((one, other) => one + other, 0),
      130_000
    )
  })
})
