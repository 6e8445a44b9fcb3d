/** A cluster on this machine from its beginning to its end; and what is refused before anything is started. */
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import net from "node:net"
import { text } from "node:stream/consumers"
import { promisify } from "node:util"
import * as Redacted from "effect/Redacted"
import { afterEach, assert, describe, it, vi } from "vitest"
import { skipped } from "../../postgres/Database.fixture.ts"
import { startTimeOf } from "../../node/processTable.ts"
import { commandLine, launcher } from "../CommandLine.fixture.ts"
import type { FleetView } from "../../../core/api/Views.ts"
import { unstable } from "../../../core/fleet/unstable.ts"
import { readKey } from "../serve/keyStore.ts"
import { conform } from "../remote/conformCommand.ts"
import { apply, followFleet, type Remote } from "../remote/remoteCommands.ts"
import { addressesOf, down, killLeader, status } from "./clusterCommand.ts"
import { readState, requireCluster } from "./ClusterState.ts"

const { at, stormglass, typed } = commandLine()

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  vi.unstubAllEnvs()
})

/** Two ports in a row that are free, below those that are given out to clients. */
async function freePort(): Promise<number> {
  const port = 12_000 + 2 * Math.floor(Math.random() * 4_000)
  const servers = [port, port + 1].map((port) => net.createServer().listen(port, "127.0.0.1"))
  try {
    await Promise.all(servers.map((server) => once(server, "listening")))
    return port
  } catch {
    return await freePort()
  } finally {
    for (const server of servers) server.close()
  }
}

interface Instance {
  readonly uid: string
  readonly pid: number
}

describe.skipIf(skipped())("a cluster of two nodes and an agent", () => {
  // covers A21, A28, A29, A30, A31
  it("goes on when its leader is killed, and leaves no process behind", { timeout: 120_000 }, async () => {
    const port = await freePort()
    const directory = at("c")
    closing.push(() => (readState(directory) === undefined ? undefined : down(directory)))

    const up = ["--nodes", "2", "--agents", "1", "--port", String(port), "--directory", directory]
    const { code, err, out } = stormglass("cluster", "up", ...up)
    assert.equal(code, 0, err)
    const addresses = addressesOf(requireCluster(directory))
    assert.include(out, `export STORMGLASS_SERVER=${addresses.join(",")}`)
    const remote = { addresses, project: "default", key: readKey(directory) }
    const untilStable = (of: Remote, desired: number) =>
      followFleet(of, "web", {
        forMillis: 60_000,
        onFleet: (fleet) => fleet.desired === desired && unstable(fleet) === undefined,
        onUnreached: () => undefined
      })
    const before = await status(directory)
    const leader = before.find(({ role }) => role === "leader")
    assert.isDefined(leader)
    const variables = { STORMGLASS_SERVER: addresses.join(","), STORMGLASS_KEY: Redacted.value(remote.key!) }
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
    const done = async (...args: ReadonlyArray<string>) => {
      const { code, err, out } = await typed(...args)
      assert.equal(code, 0, `${args.join(" ")}: ${err}`)
      return out
    }
    await done("apply", "web", "--desired", "1", "--image", "web:1")
    await done("apply", "gone", "--desired", "0", "--image", "web:1")
    await done("pause", "gone")
    await done("resume", "gone")
    await done("delete", "fleet", "gone")
    // It counts against the quota until a reconciler has finished it.
    let fleets = await done("get", "fleets")
    while (fleets.includes("gone")) fleets = await done("get", "fleets")
    assert.strictEqual(await done("redrive", "all"), "nothing is parked\n")
    assert.strictEqual(
      await done("quota", "set", "default", "--fleets", "1", "--instances", "9"),
      "default: wants 1 of 1 fleets, 1 of 9 instances\n"
    )
    assert.match(await done("get", "quotas"), /^default +1 +1 +1 +9$/m)
    const more = await typed("apply", "more", "--desired", "1", "--image", "web:1")
    assert.deepEqual(
      [more.code, more.err],
      [5, "stormglass: project default uses 1 of 1 fleets, and 1 more are asked for\n"]
    )
    await done("quota", "delete", "default")
    const [named] = JSON.parse(
      await done("get", "fleets", "--json", "--fields", "name,desired")
    ) as ReadonlyArray<object>
    assert.deepEqual(named, { name: "web", desired: 1 })
    const none = await done("get", "instances", "--fleet", "web", "--state", "ERROR", "--limit", "1", "--json")
    assert.strictEqual(none, "[]\n")
    const unreached = await typed("get", "fleets", "--server", "http://127.0.0.1:1")
    assert.strictEqual(unreached.code, 7)
    // As README and the operator's guide have them.
    const made = await done(
      "keys",
      "create",
      "--principal",
      "ci",
      "--verbs",
      "read,write",
      "--projects",
      "shop",
      "--expires",
      "720h"
    )
    const idOf = (token: string) => /^sg_([0-9a-f]{16})/.exec(token)?.[1] ?? ""
    const next = await done("keys", "rotate", idOf(made))
    await done("keys", "rotate", idOf(next), "--overlap", "1h")
    assert.include(await done("keys", "revoke", idOf(next)), "is refused everywhere within ten seconds")
    const exported = at("audit.ndjson")
    let entries = ""
    // The leader seals every few seconds.
    while (entries === "") entries = await done("audit", "export")
    fs.writeFileSync(exported, entries)
    assert.match(await done("audit", "verify", "--file", exported), /^\d+ entries, one chain/)
    fs.writeFileSync(exported, "")
    const empty = await typed("audit", "verify", "--file", exported)
    assert.deepEqual(
      [empty.code, empty.err],
      [2, `stormglass: --file ${exported}: no entry is in it; was what exported it cut off?\n`]
    )
    vi.stubEnv("STORMGLASS_KEY", next.trim())
    const revoked = await typed("get", "fleets")
    assert.match(
      revoked.err,
      /^stormglass: key [0-9a-f]{16} is not known, has expired or was revoked \(from STORMGLASS_KEY\)\n$/
    )
    vi.stubEnv("STORMGLASS_KEY", variables.STORMGLASS_KEY)
    const watcher = spawn(process.execPath, [launcher, "watch", "web", "--json"], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const ended = once(watcher, "exit")
    closing.push(() => watcher.kill("SIGKILL"))
    const watched = text(watcher.stdout)
    const trying = { image: "web:1", patienceMillis: 60_000, onJudged: () => undefined }
    const conformed = conform({ ...remote, project: "smoke" }, trying)
    assert.match(await done("scale", "web", "2"), /^web: (2 wanted|\d of 2 run)/)
    const waited = await promisify(execFile)(process.execPath, [launcher, "wait", "web", "--for", "stable"])
    assert.match(waited.stdout, /^web: 2 of 2 run, stable$/m)
    assert.include(await done("get", "fleets"), "web")
    assert.deepEqual(
      (await conformed).flatMap(({ broken, law }) => (broken === null ? [] : `${law}: ${broken}`)),
      []
    )
    // Who watches by the leader goes on by the other one.
    const follower = addresses.toSorted((a) => (leader!.name === `n${addresses.indexOf(a) + 1}` ? -1 : 1))
    const smaller = untilStable({ ...remote, addresses: follower }, 1)

    const says = `^killed ${leader!.name}, which led with epoch ${leader!.epoch}; n[12]/\\d+ leads with epoch`
    assert.match(await killLeader(directory), new RegExp(says))
    await apply(remote, { name: "web", desired: 1, spec: { image: "web:1", size: "small" } })
    assert.isTrue(await smaller)
    watcher.kill("SIGINT")
    const seen = (await watched)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as FleetView)
    const [watchedCode] = await ended
    const generations = seen.map(({ generation }) => generation)
    assert.deepEqual([watchedCode, generations], [130, generations.toSorted((a, b) => a - b)])
    assert.deepInclude(seen.at(-1), { generation: 3, desired: 1 })
    assert.strictEqual(unstable(seen.at(-1)!), undefined)
    const gone = await typed("describe", "fleet", "gone")
    assert.deepEqual([gone.code, gone.err], [6, "stormglass: there is no fleet default/gone\n"])

    const instances = fs
      .readdirSync(at("c/a1/instances"))
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(fs.readFileSync(at(`c/a1/instances/${name}`), "utf8")) as Instance)
    // What was conformed with may still be on its way out.
    assert.lengthOf(
      instances.filter(({ uid }) => uid.startsWith("web-")),
      1
    )
    const { members, supervisor } = requireCluster(directory)
    const running = members.flatMap(({ running }) => running ?? [])
    const pids = [...before, ...running, ...instances, supervisor].flatMap(({ pid }) => pid ?? [])
    assert.match(await down(directory), /^stopped \d nodes?, 1 agent and \d instances?$/)
    const alive = pids.filter((pid) => startTimeOf(pid) !== undefined)
    assert.deepEqual([alive, readState(directory)], [[], undefined])
  })
})

describe("a cluster command that cannot be", () => {
  it("is refused in one line, and makes nothing", async () => {
    const { code, err, out } = await typed("cluster", "status", "--directory", at("c"))
    const says = `stormglass: ${at("c")}: no cluster is there; \`stormglass cluster up\` starts one (--directory)\n`
    assert.deepEqual([code, out, err], [2, "", says])
    assert.isFalse(fs.existsSync(at("c")))
  })
})
