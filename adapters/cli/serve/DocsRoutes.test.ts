/** What people read of the API is what programs read of it. */
import * as HttpRouter from "effect/http/HttpRouter"
import { assert, describe, it } from "vitest"
import * as DocsRoutes from "./DocsRoutes.ts"

describe("the page of the API", () => {
  it("shows the document that is served, and asks nothing of hosts elsewhere", async () => {
    const { dispose, handler } = HttpRouter.toWebHandler(DocsRoutes.layer, { disableLogger: true })
    const served = await (await handler(new Request("http://n1/openapi.json"))).json()
    const page = await (await handler(new Request("http://n1/docs"))).text()
    await dispose()
    const [, settings = "", shown = ""] =
      /\.createApiReference\(.*?\{\s*\.\.\.(\{.*?\}),\n\s*content: (\{.*\})\n\s*\}\)\n/s.exec(page) ?? []
    assert.deepStrictEqual(JSON.parse(shown), served)
    assert.include(page, "<title>Stormglass</title>")
    assert.notMatch(page, /<(script|link|img)[^>]*(src|href)=/)
    const { showDeveloperTools, telemetry, withDefaultFonts } = JSON.parse(settings) as Record<string, unknown>
    assert.deepStrictEqual([showDeveloperTools, telemetry, withDefaultFonts], ["never", false, false])
  })
})
