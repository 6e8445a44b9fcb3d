/** Instances as processes of this machine: what is found again by whoever comes later, and what is never taken for one. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { ChildProcesses } from "./ChildProcesses.ts"
import { commandOf, wordsOf } from "./InstanceCommand.ts"

const spec = { image: "web:1", size: "small" } as const

describe("a host of child processes", { skip: process.platform === "win32" }, () => {
  const directories: Array<string> = []
  const fresh = () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-host-"))
    directories.push(directory)
    return directory
  }
  const recordOf = (directory: string, uid: string) => path.join(directory, `${uid}.json`)
  const pidOf = (directory: string, uid: string) =>
    (JSON.parse(fs.readFileSync(recordOf(directory, uid), "utf8")) as { readonly pid: number }).pid
  /** A command that ends when it is told to, unless told otherwise. */
  const host = (directory: string, command: ReadonlyArray<string> = ["sleep", "1000"], killAfterMillis = 5_000) =>
    new ChildProcesses({ directory, command, killAfterMillis })
  const until = async (holds: () => boolean) => {
    for (let tries = 0; !holds(); tries++) {
      assert.isBelow(tries, 1_000, "never came")
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  afterEach(async () => {
    for (const directory of directories.splice(0)) {
      const left = host(directory, ["sleep", "1000"], 0)
      await until(() => {
        for (const uid of left.list()) left.stop(uid)
        return left.list().length === 0
      })
      fs.rmSync(directory, { recursive: true })
    }
  })

  it("runs an instance until its end is asked for, once however often it is asked to", async () => {
    const directory = fresh()
    const first = host(directory)
    assert.strictEqual(first.observe("a"), "Absent")
    first.start("a", spec)
    const pid = pidOf(directory, "a")
    first.start("a", spec)
    assert.deepStrictEqual([pidOf(directory, "a"), first.observe("a"), first.list()], [pid, "Running", ["a"]])
    first.stop("a")
    assert.oneOf(first.observe("a"), ["Stopping", "Failed"])
    await until(() => {
      first.stop("a")
      return first.observe("a") === "Absent"
    })
    assert.deepStrictEqual(first.list(), [])
  })

  it("shows one that was killed as failed, starts it not again, and forgets it when told to", async () => {
    const directory = fresh()
    const first = host(directory)
    first.start("a", spec)
    process.kill(pidOf(directory, "a"), "SIGKILL")
    await until(() => first.observe("a") === "Failed")
    first.start("a", spec)
    assert.strictEqual(first.observe("a"), "Failed")
    first.stop("a")
    assert.strictEqual(first.observe("a"), "Absent")
  })

  it("shows one whose command is not there as failed", async () => {
    const directory = fresh()
    const first = host(directory, ["/no/such/command"])
    first.start("a", spec)
    assert.strictEqual(first.observe("a"), "Failed")
    await until(() => fs.readFileSync(path.join(directory, "a.log"), "utf8").includes("ENOENT"))
  })

  it("is found again by a later process, also one that was started and not yet written down (Linux)", () => {
    const directory = fresh()
    host(directory).start("a", spec)
    const pid = pidOf(directory, "a")
    assert.strictEqual(host(directory).observe("a"), "Running")
    if (process.platform !== "linux") return
    fs.writeFileSync(recordOf(directory, "a"), JSON.stringify({ uid: "a", pid: null, startTime: null }))
    // The same uid on another machine's directory would be another instance: uids are never used twice.
    assert.strictEqual(host(directory).observe("a"), "Running")
    assert.strictEqual(pidOf(directory, "a"), pid)
  })

  it("does not take a process for the instance whose number it got", () => {
    const directory = fresh()
    fs.writeFileSync(recordOf(directory, "a"), JSON.stringify({ uid: "a", pid: process.pid, startTime: "1" }))
    const first = host(directory)
    assert.strictEqual(first.observe("a"), "Failed")
    first.stop("a")
    assert.strictEqual(first.observe("a"), "Absent")
  })

  it("kills what does not end by itself", async () => {
    const directory = fresh()
    const ready = path.join(directory, "ready")
    const stubborn = ["sh", "-c", `trap '' TERM; touch ${ready}; while :; do sleep 1; done`]
    const first = host(directory, stubborn, 200)
    first.start("a", spec)
    await until(() => fs.existsSync(ready))
    first.stop("a")
    assert.strictEqual(first.observe("a"), "Stopping")
    await until(() => {
      first.stop("a")
      return first.observe("a") === "Absent"
    })
    fs.rmSync(ready)
  })
})

describe("a command", () => {
  it("is words, with quotes and nothing else", () => {
    assert.deepStrictEqual(wordsOf(`run  "a b" 'c "d"' e`), ["run", "a b", `c "d"`, "e"])
    assert.strictEqual(wordsOf("  "), "it is empty")
    assert.match(wordsOf(`run "a`) as string, /a quote is not closed/)
    assert.match(wordsOf(`run "a"b`) as string, /something follows it/)
  })

  it("names the instance where its template says so, and takes nothing else for a name", () => {
    assert.deepStrictEqual(
      commandOf(["serve", "{image}-{size}", "{uid}{uid}", "{port}", "$uid"], { uid: "u", ...spec }),
      ["serve", "web:1-small", "uu", "{port}", "$uid"]
    )
  })
})
