import { once } from "node:events"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, describe, it } from "vitest"
import { askNodes } from "./askNodes.ts"
import { told } from "./Cluster.fixture.ts"

const servers: Array<http.Server> = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const serve = async (listener: http.RequestListener): Promise<string> => {
  const server = http.createServer(listener).listen(0, "127.0.0.1")
  servers.push(server)
  await once(server, "listening")
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A node that is well. */
const answers: http.RequestListener = ({ url = "" }, response) => {
  const [kind] = /members|leases|agents/.exec(url) ?? []
  const items = told[kind as keyof typeof told]
  response.setHeader("content-type", "application/json").end(JSON.stringify({ items, next: null, revision: null }))
}

describe("the nodes of a cluster", () => {
  it("are asked at once: one that is silent, or has no database, holds nobody up", async () => {
    const heard: Array<string> = []
    const silent = await serve((request) => {
      heard.push("asked")
      request.on("close", () => heard.push("given up"))
    })
    const cutOff = await serve((_, response) => response.writeHead(503).end("{}"))
    const well = await serve((request, response) => {
      heard.push("answered")
      answers(request, response)
    })
    assert.deepEqual(await askNodes([silent, cutOff, well], undefined), told)
    assert.deepEqual([...new Set(heard.slice(0, 4))].toSorted(), ["answered", "asked"])
  })

  it("that all refuse are not waited for", async () => {
    const cutOff = await serve((_, response) => response.writeHead(503).end("{}"))
    assert.deepEqual(await askNodes([cutOff], undefined), { members: null, leases: null, agents: null })
  })
})
