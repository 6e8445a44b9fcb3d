/** Instances as processes of this machine: what is found again by whoever comes later, and what is never taken for one. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { Provider } from "../../core/ports/Provider.ts"
import { ChildProcesses, layer, type Options } from "./ChildProcesses.ts"
import { filesMax, keepOutput, lastLineOf } from "./FailedOutput.ts"
import { commandOf, uidVariable, wordsOf } from "./InstanceCommand.ts"
import { endOf, rotate } from "./OutputFile.ts"
import { isAlive, type Member, membersOf, startTimeOf } from "./processTable.ts"

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
    assert.match(first.said[0]!, /^instance a could not be started: .*ENOENT; it wrote nothing; kept in /)
    assert.match(first.causeOf("a")!, /^could not be started: .*ENOENT$/)
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
      String.raw`instance a exited with code 3: two; it wrote last "one\n\u{1b}[31mtwo"; kept in ${file}`
    ])
    assert.strictEqual(fs.readFileSync(file!, "utf8"), "one\n\u001B[31mtwo\nstormglass: exited with code 3\n")
    const second = host(directory)
    assert.deepStrictEqual([second.observe("a"), second.said], ["Failed", []])
    assert.deepStrictEqual(
      [first, second].map((life) => life.causeOf("a")),
      Array(2).fill("exited with code 3: two")
    )
    second.stop("a")
    assert.deepStrictEqual(fs.readdirSync(directory), ["failed"])
  })

  it("is told of by what killed it, and not at all when its end was asked for, by whichever life", async () => {
    const directory = fresh()
    const first = host(directory)
    for (const uid of ["a", "b", "c"]) first.start(uid, spec)
    process.kill(pidOf(directory, "a"), "SIGKILL")
    await until(() => first.changes > 3)
    assert.match(first.said.join("\n"), /^instance a was killed by SIGKILL; it wrote nothing; kept in .*$/)
    assert.deepStrictEqual([first.causeOf("a"), first.causeOf("b")], ["was killed by SIGKILL", undefined])
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
    assert.match(
      first.said.join("\n"),
      /^instance a ended, and how is .*: last words; it wrote last "last words"; kept in .*$/
    )
    assert.match(first.causeOf("a")!, /^ended, and how is not known, .*: last words$/)
  })

  it("has of what it wrote its end kept, and of those that failed the last", () => {
    const directory = fresh()
    const failed = path.join(directory, "failed")
    fs.mkdirSync(failed)
    for (let day = 0; day <= filesMax; day++) fs.writeFileSync(path.join(failed, `2000-${1_000 + day}-b.log`), "")
    const log = path.join(directory, "a.log")
    fs.writeFileSync(log, `${"x".repeat(100_000)}\nthe end\n`)
    const { file, lastLine, lastLines } = keepOutput(failed, { uid: "a", how: "it ended", log })
    assert.strictEqual(lastLine, "the end")
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
      while ((yield* provider.observe("a")).observation === "Starting") yield* provider.changed!
      assert.deepStrictEqual(yield* provider.observe("a"), { observation: "Running" })
      process.kill(pidOf(directory, "a"), "SIGKILL")
      while ((yield* provider.observe("a")).observation === "Running") yield* provider.changed!
      assert.deepStrictEqual(yield* provider.observe("a"), { observation: "Failed", cause: "was killed by SIGKILL" })
    }).pipe(Effect.provide(layer({ directory, command: ["sleep", "1000"], startMillis: 5 })), Effect.runPromise)
  })

  it("is found again by a later process, also one that was started and not yet written down (Linux)", () => {
    const directory = fresh()
    // Looked for on the whole machine, where other tests may have an "a".
    const uid = `a-${process.pid}`
    host(directory).start(uid, spec)
    const pid = pidOf(directory, uid)
    assert.strictEqual(host(directory).observe(uid), "Running")
    if (process.platform !== "linux") return
    fs.writeFileSync(recordOf(directory, uid), JSON.stringify({ uid, pid: null, startTime: null }))
    // The same uid on another machine's directory would be another instance: uids are never used twice.
    assert.strictEqual(host(directory).observe(uid), "Running")
    assert.strictEqual(pidOf(directory, uid), pid)
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

  /** A shell that starts others, of which one listens to no SIGTERM; and has written the numbers of all of them to the file. */
  const family = (file: string) => {
    const stubborn = `trap '' TERM; echo $$ >> ${file}; while :; do sleep 0.05; done`
    return ["sh", "-c", `sleep 1000 & echo $! > ${file}; sh -c "${stubborn.replaceAll("$", String.raw`\$`)}" & wait`]
  }
  const startFamily = async (directory: string, start: (command: ReadonlyArray<string>) => void) => {
    const file = path.join(directory, "family")
    start(family(file))
    const written = () => (fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n").map(Number) : [])
    await until(() => written().length === 2)
    const members: ReadonlyArray<Member> = written().map((pid) => ({ pid, startTime: startTimeOf(pid)! }))
    fs.rmSync(file)
    return { leader: pidOf(directory, "a"), members }
  }
  const living = (members: ReadonlyArray<Member>) =>
    members.filter(({ pid, startTime }) => isAlive(pid, startTime)).length

  it("ends all that its process has started, and is not gone before", async () => {
    const directory = fresh()
    let first = host(directory)
    const { leader, members } = await startFamily(directory, (command) => {
      first = host(directory, { command, killAfterMillis: 1e9 })
      first.start("a", spec)
    })
    assert.strictEqual(living(members), 2)
    first.stop("a")
    await until(() => startTimeOf(leader) === undefined && living(members) === 1)
    first.stop("a")
    assert.deepStrictEqual([first.observe("a"), living(members)], ["Stopping", 1], "one does not listen")
    const second = host(directory, { killAfterMillis: 0 })
    await until(() => {
      second.stop("a")
      return second.observe("a") === "Absent"
    })
    assert.deepStrictEqual([living(members), membersOf(leader), first.said, second.said], [0, [], [], []])
  })

  for (const listens of [true, false]) {
    it(`ends what is left when somebody kills its process${listens ? "" : ", also one that another life has started (Linux)"}`, async () => {
      if (process.platform !== "linux" && !listens) return
      const directory = fresh()
      let heir = host(directory, { killAfterMillis: 0 })
      const { leader, members } = await startFamily(directory, (command) => {
        const [name, ...words] = command
        if (listens) {
          heir = host(directory, { command, killAfterMillis: 0 })
          heir.start("a", spec)
          return
        }
        const earlier = spawn(name!, words, {
          detached: true,
          stdio: "ignore",
          env: { ...process.env, [uidVariable]: "a" }
        })
        const recorded = { uid: "a", pid: earlier.pid, startTime: startTimeOf(earlier.pid!) }
        fs.writeFileSync(recordOf(directory, "a"), JSON.stringify(recorded))
      })
      process.kill(leader, "SIGKILL")
      await until(() => heir.observe("a") === "Failed")
      assert.match(heir.said.join(), listens ? /was killed by SIGKILL/ : /how is not known/)
      await until(() => {
        assert.strictEqual(heir.observe("a"), "Failed")
        return living(members) === 0
      })
      await until(() => {
        heir.stop("a")
        return heir.observe("a") === "Absent"
      })
      assert.deepStrictEqual(membersOf(leader), [])
    })
  }

  it("ends what is left of a group in which nobody has its name any more, as long as it was there at the end", async () => {
    const directory = fresh()
    const first = host(directory, { command: ["sh", "-c", "env -i sleep 1000 & exit 5"] })
    first.start("a", spec)
    const pid = pidOf(directory, "a")
    await until(() => first.observe("a") === "Failed")
    assert.strictEqual(first.causeOf("a"), "exited with code 5")
    const recorded = JSON.parse(fs.readFileSync(recordOf(directory, "a"), "utf8")) as {
      readonly rest: ReadonlyArray<Member>
    }
    assert.strictEqual(recorded.rest.length, 1)
    assert.strictEqual(first.said[1], `instance a left 1 process of group ${pid}, to be ended`)
    await until(() => membersOf(pid).length === 0)
  })

  it("ends what is left of one that was started and ended before it was written down (Linux)", async () => {
    if (process.platform !== "linux") return
    const directory = fresh()
    const uid = `b-${process.pid}`
    const env = { ...process.env, [uidVariable]: uid }
    const earlier = spawn("sh", ["-c", "sleep 1000 & exit 0"], { detached: true, stdio: "ignore", env })
    await new Promise((resolve) => earlier.on("exit", resolve))
    assert.strictEqual(membersOf(earlier.pid!).length, 1)
    fs.writeFileSync(recordOf(directory, uid), JSON.stringify({ uid, pid: null, startTime: null }))
    const heir = host(directory)
    // While what is left becomes `sleep`, Linux shows no environment of it.
    await until(() => heir.processes()[0] === earlier.pid)
    assert.strictEqual(heir.observe(uid), "Failed")
    await until(() => membersOf(earlier.pid!).length === 0)
    heir.stop(uid)
    assert.strictEqual(heir.observe(uid), "Absent")
  })

  it("ends nobody of a group that has the number by now, and of which nobody was there before", async () => {
    const directory = fresh()
    const stranger = spawn("sh", ["-c", "sleep 1000 & exit 0"], { detached: true, stdio: "ignore" })
    await new Promise((resolve) => stranger.on("exit", resolve))
    const group = stranger.pid!
    const [member, ...others] = membersOf(group)
    assert.deepStrictEqual(others, [])
    try {
      const earlier = [{ pid: member!.pid, startTime: "1" }]
      fs.writeFileSync(
        recordOf(directory, "a"),
        JSON.stringify({ uid: "a", pid: group, startTime: "1", rest: earlier })
      )
      const first = host(directory, { killAfterMillis: 0 })
      for (let looks = 0; looks < 3; looks++) assert.strictEqual(first.observe("a"), "Failed")
      first.stop("a")
      assert.strictEqual(first.observe("a"), "Absent")
      assert.isTrue(isAlive(member!.pid, member!.startTime))
    } finally {
      process.kill(member!.pid, "SIGKILL")
    }
  })

  it("is bounded in what it writes, and writes on into the same file, whoever starts it again", async () => {
    const directory = fresh()
    const go = path.join(directory, "go")
    const command = ["sh", "-c", `echo one; until [ -e ${go} ]; do sleep 0.01; done; echo two; exit 4`]
    const first = host(directory, { command })
    first.start("a", spec)
    const log = path.join(directory, "a.log")
    await until(() => fs.readFileSync(log, "utf8") === "one\n")
    assert.isFalse(rotate(log, 4))
    assert.isTrue(rotate(log, 3))
    assert.deepStrictEqual([fs.readFileSync(`${log}.1`, "utf8"), fs.statSync(log).size], ["ne\n", 0])
    fs.writeFileSync(go, "")
    await until(() => first.observe("a") === "Failed")
    assert.strictEqual(first.causeOf("a"), "exited with code 4: two")
    assert.strictEqual(fs.readFileSync(kept(directory)[0]!, "utf8"), "ne\ntwo\nstormglass: exited with code 4\n")
    assert.deepStrictEqual(
      fs.readdirSync(directory).filter((name) => name.startsWith("a.log")),
      []
    )
    fs.rmSync(go)
  })
})

describe("a file of output", () => {
  it("has its end kept, whatever was written to it and however often it was emptied", () =>
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 20 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 30 }),
        (pieces, bytesMax) => {
          const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-output-"))
          const log = path.join(directory, "a.log")
          let written = Buffer.alloc(0)
          for (const piece of pieces) {
            fs.appendFileSync(log, piece)
            written = Buffer.concat([written, Buffer.from(piece)])
            const isFull = fs.statSync(log).size > bytesMax
            assert.strictEqual(rotate(log, bytesMax), isFull)
            for (const file of fs.readdirSync(directory)) {
              assert.isAtMost(fs.statSync(path.join(directory, file)).size, bytesMax)
            }
            const { bytes } = endOf(log, bytesMax)
            // An emptied file begins a new end; what was before it is in the other one.
            assert.strictEqual(bytes.toString(), written.subarray(written.length - bytes.length).toString())
            assert.isAtLeast(bytes.length, Math.min(bytesMax, isFull ? bytesMax : fs.statSync(log).size))
          }
          fs.rmSync(directory, { recursive: true })
        }
      ),
      { numRuns: 30 }
    ))

  it("is emptied also when there is no room for what was in it, and somebody is told", () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-output-"))
    const log = path.join(directory, "a.log")
    fs.writeFileSync(log, "0123456789")
    // Whose name is taken by a directory cannot be written.
    fs.mkdirSync(`${log}.1.new`)
    assert.throws(() => rotate(log, 5), /EISDIR|ERR_FS_EISDIR/)
    assert.strictEqual(fs.statSync(log).size, 0)
    fs.rmSync(directory, { recursive: true })
  })
})

describe("the last line of what an instance wrote", () => {
  for (const [who, text, line] of [
    ["a shell", "one\ntwo\n", "two"],
    ["nobody", "\n \n", ""],
    [
      "Node",
      "/a.js:1\nthrow new Error('x')\n^\n\nError: boom\n    at a (/a.js:1:7)\n\nNode.js v24.21.0\n",
      "Error: boom"
    ],
    [
      "Node, of a system call",
      "Error: listen EADDRINUSE\n    at a {\n  code: 'EADDRINUSE'\n}\n\nNode.js v24.21.0\n",
      "Error: listen EADDRINUSE"
    ],
    ["Python", 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: boom\n', "ValueError: boom"],
    [
      "Java",
      'Exception in thread "main" java.lang.Error: boom\r\n\tat A.main(A.java:1)\r\n',
      'Exception in thread "main" java.lang.Error: boom'
    ],
    ["who likes colours", "\u001B[31mfatal\u001B[0m: no disk\n", "fatal: no disk"],
    ["who only sets in", "  a\n  b\n", "b"]
  ] as const) {
    it(`says what went wrong, as ${who} writes it`, () => assert.strictEqual(lastLineOf(text), line))
  }
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
