/** Where commands go that are not told where. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as ApiKey from "../../../core/identity/ApiKey.ts"
import { startTimeOf } from "../../node/processTable.ts"
import { claim, type ClusterState, type Member } from "../cluster/ClusterState.ts"
import { makeToken, writeKey } from "../serve/keyStore.ts"
import { remoteOf } from "./remoteFlags.ts"
import { removeAddresses, writeAddresses } from "./startedHere.ts"

const self = { pid: process.pid, startTime: startTimeOf(process.pid) ?? "" }
const member = (name: string, address: string | null): Member => ({
  name,
  kind: address === null ? "agent" : "node",
  directory: name,
  log: name,
  address,
  running: self,
  restarts: 0
})
const state: ClusterState = {
  version: 1,
  phase: "up",
  supervisor: self,
  members: [member("n1", "http://127.0.0.1:9001"), member("n2", "http://127.0.0.1:9002"), member("a1", null)],
  cut: []
}
const remote = (server = Option.none<string>()) => remoteOf({ server, project: Option.none(), context: Option.none() })
const addresses = (server = Option.none<string>()) => remote(server).addresses

describe("a command that is typed", () => {
  const before = process.cwd()
  let directory: string

  beforeEach(() => {
    vi.stubEnv("STORMGLASS_SERVER", "")
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-remote-"))
    fs.mkdirSync(path.join(directory, "data/cluster"), { recursive: true })
    vi.stubEnv("XDG_CONFIG_HOME", directory)
    process.chdir(directory)
  })

  afterEach(() => {
    process.chdir(before)
    vi.unstubAllEnvs()
    fs.rmSync(directory, { recursive: true })
  })

  it("where a cluster runs goes to its nodes, unless it is told where", () => {
    claim(path.resolve("data/cluster"), state)
    assert.deepEqual(addresses(), ["http://127.0.0.1:9001", "http://127.0.0.1:9002"])
    assert.deepEqual(addresses(Option.some("http://127.0.0.1:9003")), ["http://127.0.0.1:9003"])
    vi.stubEnv("STORMGLASS_SERVER", "http://127.0.0.1:9004")
    assert.deepEqual(addresses(), ["http://127.0.0.1:9004"])
  })

  it("beside a node goes to where that is", () => {
    writeAddresses("data", ["http://localhost:9005", "http://n1:9005"])
    assert.deepEqual(addresses(), ["http://localhost:9005", "http://n1:9005"])
    removeAddresses("data")
    assert.deepEqual(addresses(), ["http://localhost:8081"])
  })

  it("is about the project that is typed, or said, or the default; what is no name is refused by who said it", () => {
    const projectOf = (project = Option.none<string>()) =>
      remoteOf({ server: Option.none(), project, context: Option.none() }).project
    vi.stubEnv("STORMGLASS_PROJECT", " ")
    assert.strictEqual(projectOf(), "default")
    vi.stubEnv("STORMGLASS_PROJECT", "shop")
    assert.deepEqual([projectOf(), projectOf(Option.some("forge"))], ["shop", "forge"])
    vi.stubEnv("STORMGLASS_PROJECT", "Shop")
    assert.throws(() => projectOf(), /^STORMGLASS_PROJECT "Shop": a name is lower case/)
    assert.throws(() => projectOf(Option.some("")), /^--project "": a name is lower case/)
  })

  it("sends the key that is kept here to whom it is of, and to nobody else", () => {
    vi.stubEnv("STORMGLASS_KEY", "")
    const [ofCluster, ofNode] = [makeToken(), makeToken()]
    claim(path.resolve("data/cluster"), state)
    writeKey("data/cluster", ofCluster)
    writeKey("data", ofNode)
    writeAddresses("data", ["http://localhost:9005", "http://n1:9005"])
    const sent = (server: string) => {
      const { key, keyOrigin } = remote(Option.some(server))
      return key === undefined ? undefined : [Redacted.value(key), keyOrigin]
    }
    const cluster = [ApiKey.format(ofCluster), "data/cluster/key"]
    const node = [ApiKey.format(ofNode), "data/key"]
    assert.deepEqual(sent("http://localhost:9001"), cluster)
    assert.deepEqual(sent("http://127.0.0.1:9002,http://[::1]:9001"), cluster)
    assert.deepEqual(sent("http://127.0.0.1:9005"), node)
    for (const other of [
      "http://localhost:9006",
      "https://localhost:9005",
      "http://localhost:9001,http://localhost:9005",
      "http://n1:9005",
      "http://elsewhere:9001"
    ])
      assert.isUndefined(sent(other), other)
    vi.stubEnv("STORMGLASS_KEY", ApiKey.format(ofNode))
    assert.deepEqual(sent("http://elsewhere:9001"), [ApiKey.format(ofNode), "STORMGLASS_KEY"])
  })

  it("elsewhere, or where its supervisor is gone, goes to the node that is started first on a machine", () => {
    assert.deepEqual(addresses(), ["http://localhost:8081"])
    claim(path.resolve("data/cluster"), { ...state, supervisor: { ...self, startTime: "another" } })
    assert.deepEqual(addresses(), ["http://localhost:8081"])
  })
})
