/** Instances as processes of this machine: what is found again by whoever comes later, and what is never taken for one. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { Provider } from "../../core/ports/Provider.ts"
import { ChildProcesses, layer, type Options } from "./ChildProcesses.ts"
import { filesMax, keepOutput } from "./FailedOutput.ts"
import { commandOf, wordsOf } from "./InstanceCommand.ts"

const spec = { image: "web:1", size: "small" } as const

/** One life, with what it told. */
class Host extends ChildProcesses {
  readonly said: Array<string>
  readonly #its: { changes: number; readonly due: Array<() => void> }

  constructor(options: Options, isPatient: boolean) {
    const said: Array<string> = []
    const its = { changes: 0, due: [] as Array<() => void> }
    super(options, {
      onChange: () => its.changes++,
      onFailed: (message) => said.push(message),
      later: (_, then) => (isPatient ? void its.due.push(then) : then())
    })
    this.said = said
    this.#its = its
  }

  get changes(): number {
    return this.#its.changes
  }

  passTime(): void {
    for (const then of this.#its.due.splice(0)) then()
  }
}

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
  const kept = (directory: string) => {
    const failed = path.join(directory, "failed")
    return fs.existsSync(failed) ? fs.readdirSync(failed).map((name) => path.join(failed, name)) : []
  }
  /** With a command that ends when it is told to, unless told otherwise, and a time that is over at once, or when it is passed. */
  const host = (
    directory: string,
    {
      command = ["sleep", "1000"],
      isPatient = false,
      killAfterMillis = 5_000
    }: {
      readonly command?: ReadonlyArray<string>
      readonly isPatient?: boolean
      readonly killAfterMillis?: number
    } = {}
  ) => new Host({ directory, command, killAfterMillis }, isPatient)
  const until = async (holds: () => boolean) => {
    for (let tries = 0; !holds(); tries++) {
      assert.isBelow(tries, 1_000, "never came")
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  afterEach(async () => {
    for (const directory of directories.splice(0)) {
      const left = host(directory, { killAfterMillis: 0 })
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
    const first = host(directory, { command: ["/no/such/command"] })
    first.start("a", spec)
    assert.strictEqual(first.observe("a"), "Failed")
    await until(() => first.said.length > 0)
    assert.match(first.said[0]!, /^instance a: it could not be started: .*ENOENT; it wrote nothing; kept in /)
  })

  it("is starting until its process has lived for long enough, and somebody is told when it has", () => {
    const first = host(fresh())
    first.start("a", spec)
    assert.deepStrictEqual([first.observe("a"), first.changes], ["Running", 1], "its time is over at once here")
    const patient = host(fresh(), { isPatient: true })
    patient.start("a", spec)
    assert.deepStrictEqual([patient.observe("a"), patient.changes], ["Starting", 0])
    patient.passTime()
    assert.deepStrictEqual([patient.observe("a"), patient.changes], ["Running", 1])
  })

  it("that ended before its time has failed: how, and what it wrote last, is told once and kept", async () => {
    const directory = fresh()
    const first = host(directory, {
      command: ["sh", "-c", String.raw`printf 'one\n\033[31mtwo'; exit 3`],
      isPatient: true
    })
    first.start("a", spec)
    assert.strictEqual(first.observe("a"), "Starting")
    await until(() => first.changes > 0)
    first.passTime()
    assert.deepStrictEqual([first.observe("a"), first.changes], ["Failed", 1])
    const [file] = kept(directory)
    assert.deepStrictEqual(first.said, [
      String.raw`instance a: its process ended with code 3; it wrote last "one\n\u{1b}[31mtwo"; kept in ${file}`
    ])
    assert.strictEqual(
      fs.readFileSync(file!, "utf8"),
      "one\n\u001B[31mtwo\nstormglass: its process ended with code 3\n"
    )
    const second = host(directory)
    assert.deepStrictEqual([second.observe("a"), second.said], ["Failed", []])
    second.stop("a")
    assert.deepStrictEqual(fs.readdirSync(directory), ["failed"])
  })

  it("is told of by what killed it, and not at all when its end was asked for, by whichever life", async () => {
    const directory = fresh()
    const first = host(directory)
    for (const uid of ["a", "b", "c"]) first.start(uid, spec)
    process.kill(pidOf(directory, "a"), "SIGKILL")
    await until(() => first.changes > 3)
    assert.match(first.said.join("\n"), /^instance a: its process was killed by SIGKILL; it wrote nothing; kept in .*$/)
    first.stop("b")
    host(directory).stop("c")
    await until(() => first.changes === 6)
    const later = host(directory)
    assert.deepStrictEqual(
      ["a", "b", "c"].map((uid) => later.observe(uid)),
      ["Failed", "Failed", "Failed"]
    )
    assert.deepStrictEqual([first.said.length, later.said, kept(directory).length], [1, [], 1])
  })

  it("that ended while nobody listened is told of by whoever finds that, once", () => {
    const directory = fresh()
    fs.writeFileSync(recordOf(directory, "a"), JSON.stringify({ uid: "a", pid: process.pid, startTime: "1" }))
    fs.writeFileSync(path.join(directory, "a.log"), "last words\n")
    const first = host(directory)
    for (let looks = 0; looks < 2; looks++) assert.strictEqual(first.observe("a"), "Failed")
    assert.match(first.said.join("\n"), /^instance a: its process is gone, and how .* "last words"; kept in .*$/)
  })

  it("has of what it wrote its end kept, and of those that failed the last", () => {
    const directory = fresh()
    const failed = path.join(directory, "failed")
    fs.mkdirSync(failed)
    for (let day = 0; day <= filesMax; day++) fs.writeFileSync(path.join(failed, `2000-${1_000 + day}-b.log`), "")
    const log = path.join(directory, "a.log")
    fs.writeFileSync(log, `${"x".repeat(100_000)}\nthe end\n`)
    const { file, lastLines } = keepOutput(failed, { uid: "a", how: "it ended", log })
    const text = fs.readFileSync(file, "utf8")
    assert.isBelow(text.length, 66_000)
    assert.match(text, /^stormglass: 34473 bytes before this are not kept\nx+\nthe end\nstormglass: it ended\n$/)
    assert.match(lastLines, /^x+\\nthe end$/)
    assert.isBelow(lastLines.length, 500)
    const left = fs.readdirSync(failed).toSorted()
    assert.deepStrictEqual([left.length, left[0], left.at(-1)], [filesMax, "2000-1002-b.log", path.basename(file)])
  })

  it("is told to run by its provider when its time is over, as soon as it is", async () => {
    const directory = fresh()
    await Effect.gen(function* () {
      const provider = yield* Provider
      yield* provider.start("a", spec)
      while ((yield* provider.observe("a")) === "Starting") yield* provider.changed!
      assert.strictEqual(yield* provider.observe("a"), "Running")
    }).pipe(Effect.provide(layer({ directory, command: ["sleep", "1000"], startMillis: 5 })), Effect.runPromise)
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
    const first = host(directory, { command: stubborn, killAfterMillis: 200 })
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
