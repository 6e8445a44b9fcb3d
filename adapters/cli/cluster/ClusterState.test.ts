/** The state file of a cluster, whoever has written it, and the names in it that commands are given. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import {
  type ClusterState,
  claim,
  parseState,
  readState,
  requireCluster,
  requireMember,
  stateFile
} from "./ClusterState.ts"

const member = (name: string, kind: "node" | "agent") => ({
  name,
  kind,
  directory: `/c/${name}`,
  log: `/c/logs/${name}.log`,
  address: null,
  running: null,
  restarts: 0
})

const state = (changes: Partial<ClusterState> = {}): ClusterState => ({
  version: 1,
  phase: "up",
  // No process was ever started then.
  supervisor: { pid: process.pid, startTime: "never" },
  members: [member("n1", "node"), member("n2", "node"), member("a1", "agent")],
  cut: [],
  ...changes
})

const refusal = (body: () => unknown): string => {
  try {
    body()
  } catch (error) {
    return (error as Error).message
  }
  return "accepted"
}

let directory = ""
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-cluster-"))
})
afterEach(() => fs.rmSync(directory, { recursive: true }))

describe("the state file", () => {
  it("is what was written", () => {
    assert.isTrue(claim(directory, state()))
    assert.deepEqual(readState(directory), state())
    assert.deepEqual(fs.readdirSync(directory), ["cluster.json"])
  })

  it("belongs to the first who claims it", () => {
    claim(directory, state())
    assert.isFalse(claim(directory, state({ phase: "starting" })))
    assert.equal(readState(directory)?.phase, "up")
  })

  it.each([
    ["is cut off", '{"version": 1, "pha'],
    ["is of another version", JSON.stringify({ ...state(), version: 2 })],
    ["lacks a part", JSON.stringify({ ...state(), members: undefined })],
    ["is no object", "7"]
  ])("is refused in one line when it %s", (_, text) => {
    const said = refusal(() => parseState(text, "cluster.json"))
    assert.match(said, /^cluster\.json: not the state of a cluster \(.+\); stop its processes by hand.* and remove it$/)
  })

  it("of nobody is no cluster", () => {
    assert.match(
      refusal(() => requireCluster(directory)),
      /no cluster is there/
    )
  })

  it("of a supervisor that has gone is no cluster, though another process has its number", () => {
    claim(directory, state())
    assert.match(
      refusal(() => requireCluster(directory)),
      /supervisor was killed/
    )
    assert.isTrue(fs.existsSync(stateFile(directory)))
  })
})

describe("a name in a cluster", () => {
  it.each<readonly [name: string, kind: "node" | undefined, says: string]>([
    ["n3", "node", 'there is no node "n3" in the cluster; did you mean "n1"?'],
    ["a1", "node", 'there is no node "a1" in the cluster; did you mean "n1"?'],
    ["supervisor", undefined, 'there is no process "supervisor" in the cluster; there are n1, n2, a1']
  ])("%s is refused, with what it may have meant", (name, kind, says) => {
    assert.equal(
      refusal(() => requireMember(state(), name, kind)),
      says
    )
  })

  it("is found", () => {
    assert.equal(requireMember(state(), "a1").kind, "agent")
  })
})
