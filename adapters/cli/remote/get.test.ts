/** What `stormglass get` asks of a control plane, page by page, and what it makes of the answers. */
import { once } from "node:events"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { refused } from "../../../core/api/problems.ts"
import { Misdirected } from "../../../core/api/ApiErrors.ts"
import { commandLine } from "../CommandLine.fixture.ts"

const { typed } = commandLine()

const closing: Array<() => unknown> = []
beforeEach(() => {
  for (const name of ["STORMGLASS_SERVER", "STORMGLASS_KEY", "STORMGLASS_PROJECT"]) vi.stubEnv(name, "")
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
  vi.unstubAllEnvs()
})

/** Answers the path and query of each request; returns its address and what it was asked. */
const serving = async (answer: (asked: URL) => { readonly status?: number; readonly body: string }) => {
  const asked: Array<string> = []
  const server = http.createServer(({ url = "" }, response) => {
    asked.push(url)
    const { body, status = 200 } = answer(new URL(url, "http://n1"))
    const contentType = status < 400 ? "application/json" : "application/problem+json"
    response.writeHead(status, { "content-type": contentType }).end(body)
  })
  closing.push(
    () => server.closeAllConnections(),
    () => server.close()
  )
  await once(server.listen(0, "127.0.0.1"), "listening")
  return { asked, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const agents = ["a1", "a2", "a3"].map((id) => ({
  id,
  incarnation: 1,
  registeredAt: 0,
  host: null,
  process: null,
  heardAt: null
}))

/** Two at a time at most. */
const pages = (url: URL) => {
  const from = Number(url.searchParams.get("after") ?? 0)
  const items = agents.slice(from, from + Math.min(2, Number(url.searchParams.get("limit") ?? 2)))
  const end = from + items.length
  const fields = url.searchParams.get("fields")?.split(",")
  const shown = items.map((each) =>
    Object.fromEntries(Object.entries(each).filter(([name]) => fields?.includes(name) ?? true))
  )
  return { body: JSON.stringify({ items: shown, next: end < agents.length ? String(end) : null, revision: null }) }
}

describe("get", () => {
  it("reads every page of a list", async () => {
    const { address, asked } = await serving(pages)
    const { code, out } = await typed("get", "agents", "--json", "--server", address)
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(JSON.parse(out), agents)
    assert.deepStrictEqual(asked, ["/v1/agents", "/v1/agents?after=2"])
  })

  it("asks for no more than was wanted, and says when there is more", async () => {
    const { address, asked } = await serving(pages)
    const { err, out } = await typed("get", "agents", "--limit", "1", "--server", address)
    assert.deepStrictEqual(
      out.split("\n").map((line) => line.split(" ")[0]),
      ["agent", "a1", ""]
    )
    assert.strictEqual(err, "there are more agents than 1: --limit\n")
    assert.deepStrictEqual(asked, ["/v1/agents?limit=1"])
    const all = await typed("get", "agents", "--limit", "3", "--server", address)
    assert.strictEqual(all.err, "")
  })

  it("has the control plane leave out what nobody wants to see", async () => {
    const { address, asked } = await serving(pages)
    const { out } = await typed("get", "agents", "--json", "--fields", "id", "--limit", "2", "--server", address)
    assert.deepStrictEqual(JSON.parse(out), [{ id: "a1" }, { id: "a2" }])
    assert.deepStrictEqual(asked, ["/v1/agents?limit=2&fields=id"])
  })

  it("chooses among instances where they are", async () => {
    const { address, asked } = await serving(() => ({ body: '{"items":[],"next":null,"revision":null}' }))
    await typed("get", "instances", "--fleet", "web", "--state", "ERROR", "--project", "shop", "--server", address)
    assert.deepStrictEqual(asked, ["/v1/projects/shop/instances?state=ERROR&fleet=web"])
  })

  it("goes on to the next node where one serves no API, also for a part of each document", async () => {
    const worker = await serving(() => refused(new Misdirected({ detail: "n1 serves no API" })))
    const { address } = await serving(pages)
    for (const masked of [[], ["--fields", "id"]]) {
      const { code, out } = await typed(
        "get",
        "agents",
        "--json",
        ...masked,
        "--server",
        `${worker.address},${address}`
      )
      assert.deepStrictEqual([code, (JSON.parse(out) as ReadonlyArray<unknown>).length], [0, 3])
    }
    const { code, err } = await typed("get", "agents", "--json", "--fields", "id", "--server", worker.address)
    assert.deepStrictEqual([code, err], [7, `stormglass: ${worker.address}: n1 serves no API\n`])
  })
})
