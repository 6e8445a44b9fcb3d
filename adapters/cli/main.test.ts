/** The command line as a user types it, in an empty directory: a process of its own where that matters, and this one where it does not. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { commandLine, fixture, launcher } from "./CommandLine.fixture.ts"

const { at, fileOf, stormglass, stormglassIn, typed } = commandLine()

const kill = (wrong: object): string => planOf({ when: { at: "1s" }, target: "n1", fault: "process/kill", ...wrong })

const planOf = (entry: object): string => fileOf(JSON.stringify({ version: 1, faults: [entry] }))

describe("a run", { timeout: 60_000 }, () => {
  it("in which all passes ends with 0", () => {
    const { code, out } = stormglass("run", "calm", "--seeds", "2")
    assert.match(out, /2 passed, 0 failed/)
    assert.strictEqual(code, 0)
  })

  it("on PGlite says so in its line and its file, and is replayed on PGlite", { timeout: 180_000 }, async () => {
    const ran = await typed("run", fixture("failsAlways"), "--seed", "1", "--storage", "pglite")
    assert.strictEqual(ran.code, 1)
    assert.match(ran.out, /replay \S+failsAlways.ts --seed 1 --storage pglite\b/)
    const [, file = ""] = /saved as (\S+)/.exec(ran.out) ?? []
    const { out } = await typed("replay", file)
    assert.match(out, /digest \w+, equal/)
    const { code, err } = await typed("replay", file, "--storage", "model")
    assert.strictEqual(code, 2)
    assert.match(err, /--storage is of the saved failure/)
  })

  it("that fails ends with 1, and its line and its file replay it with the same digest, until somebody edits it", async () => {
    const ran = await typed("run", fixture("chargesTwice"), "--seeds", "20")
    assert.strictEqual(ran.code, 1)
    const [, seed] = /replay \S+chargesTwice.ts --seed (\d+)/.exec(ran.out) ?? []
    const [, file] = /saved as (\S+)/.exec(ran.out) ?? []
    assert.isDefined(seed)
    assert.isDefined(file)

    const replayed = await typed("replay", file)
    assert.match(replayed.out, /charged twice/)
    assert.match(replayed.out, /digest \w+, equal/)
    assert.strictEqual(replayed.code, 1)

    const bySeed = JSON.parse((await typed("replay", fixture("chargesTwice"), "--seed", seed, "--json")).out)
    const text = readFileSync(at(file), "utf8")
    assert.strictEqual(bySeed.digest, JSON.parse(text).digest)

    const edited = await typed("replay", fileOf(JSON.stringify({ ...JSON.parse(text), digest: "0".repeat(64) })))
    assert.match(edited.out, /DIGEST DIFFERS/)
    assert.strictEqual(edited.code, 3)
  })

  it("that fails is also replayed from what was struck, which is another run with the same end", async () => {
    const { failures } = JSON.parse((await typed("run", fixture("chargesTwice"), "--seeds", "20", "--json")).out)
    const { digest, file } = failures[0]
    const { pinned } = JSON.parse(readFileSync(at(file), "utf8"))
    const replayed = JSON.parse((await typed("replay", file, "--pinned", "--json")).out)
    assert.deepStrictEqual(replayed.plan, pinned)
    assert.strictEqual(replayed.verdict.invariant, "charged-once")
    assert.deepStrictEqual([replayed.expectedDigest, replayed.isDigestEqual], [digest, null])
  })

  it("in which an invariant itself throws is replayed by its file with the parameters and the faults that it had", async () => {
    const ran = await typed("run", fixture("invariantThrows"), "--seed", "4")
    assert.strictEqual(ran.code, 1)
    const [, file = ""] = /saved as (\S+)/.exec(ran.out) ?? []
    const saved = JSON.parse(readFileSync(at(file), "utf8"))
    assert.deepStrictEqual(Object.keys(saved.parameters), ["nodes"])
    assert.deepInclude(saved.plan.faults[0], { target: "random", fault: "process/kill" })

    const replayed = await typed("replay", file)
    assert.match(replayed.out, /the invariant is broken/)
    assert.match(replayed.out, /digest \w+, equal/)
    assert.strictEqual(replayed.code, 1)
  })

  it("prints one document with --json, and nothing else", async () => {
    const { code, err, out } = await typed("run", fixture("chargesTwice"), "--seeds", "20", "--json")
    const document = JSON.parse(out)
    assert.strictEqual(code, 1)
    assert.strictEqual(err, "")
    assert.strictEqual(document.passed + document.failed, 20)
    assert.strictEqual(document.failed, document.failures.length)
    assert.strictEqual(document.failures[0].verdict.invariant, "charged-once")
    // The one that is shown, which was run again.
    assert.deepStrictEqual(
      new Set(document.failures.map(({ isDigestEqual }: { readonly isDigestEqual: boolean | null }) => isDigestEqual)),
      new Set([null, true])
    )
    assert.isAbove(document.failed, 3)
    for (const { digest, file } of document.failures) {
      assert.strictEqual(JSON.parse(readFileSync(at(file), "utf8")).digest, digest)
    }
  })

  it("shows one failure of a kind, and names the others", async () => {
    const { out } = await typed("run", fixture("failsAlways"), "--seeds", "5")
    assert.lengthOf(out.match(/✗/g) ?? [], 1)
    assert.match(
      out,
      / 5 × stalled: not converged.*\n.*: seeds 1, 2, 3, 4, 5\n.*soonest: \S+, seed 1, in .*\n.*--seed 1\n/
    )
  })

  it("in which a kind of fault took effect too seldom says so last", async () => {
    const { code, out } = await typed("run", "calm", "--seed", "1", "--min-effects", "1")
    assert.match(out, /1 passed, 0 failed.*\nfailed: \d+ kinds of fault took effect less than 1 times\n$/)
    assert.strictEqual(code, 1)
  })

  it("that its budget ended says how many runs were not begun", async () => {
    const { out } = await typed("run", fixture("failsAlways"), "--seeds", "100000", "--budget", "2s")
    assert.match(out, /\n\d+ runs were not begun: the budget of 2s was over\n$/)
  })

  it("that was stopped at a virtual time has not passed", async () => {
    const { code, out } = await typed("replay", fixture("failsAlways"), "--seed", "1", "--until", "500ms")
    assert.match(out, /stopped at 0\.500 s: .*seed 1, nothing had failed by then/)
    assert.notInclude(out, "passed")
    assert.strictEqual(code, 0)
  })

  it("of a saved failure with another mutant says so in its line, and is not held against the digest of the file", async () => {
    const { failures } = JSON.parse((await typed("run", fixture("failsAlways"), "--seed", "a1", "--json")).out)
    const { code, out } = await typed("replay", failures[0].file, "--mutant", "no-brake")
    assert.include(out, `npx stormglass replay ${failures[0].file} --mutant no-brake\n`)
    assert.notInclude(out, "DIFFERS")
    assert.strictEqual(code, 1)
  })

  it("whose digest differs says which versions do", async () => {
    const { failures } = JSON.parse((await typed("run", fixture("failsAlways"), "--seed", "1", "--json")).out)
    const saved = JSON.parse(readFileSync(at(failures[0].file), "utf8"))
    const replay = (versions: object) =>
      typed("replay", fileOf(JSON.stringify({ ...saved, digest: "0", versions: { ...saved.versions, ...versions } })))
    assert.match((await replay({ effect: "3.9" })).out, /written by other versions: effect was 3\.9 and is \d/)
    assert.match((await replay({})).out, /may have changed since the file was written/)
  })

  it("in which nothing ran, because its time was over, ends with 1", async () => {
    const { code, out } = await typed("run", "calm", "--budget", "0s")
    assert.match(out, /nothing ran within the budget of 0s/)
    assert.strictEqual(code, 1)
  })

  it("takes its seeds from what was typed, and from the environment only where nothing was", async () => {
    const failed = (...flags: ReadonlyArray<string>) => {
      const { out } = stormglassIn(
        { variables: { STORMGLASS_SEED: "3" } },
        "run",
        fixture("failsAnew"),
        "--json",
        ...flags
      )
      return JSON.parse(out).failures.map(({ seed }: { readonly seed: string }) => seed)
    }
    assert.deepStrictEqual(failed("--seeds", "1..2"), ["1", "2"])
    assert.deepStrictEqual(failed("--seed", "7"), ["7"])
    assert.deepStrictEqual(failed(), ["3"])
    const replayed = stormglassIn({ variables: { STORMGLASS_SEED: "3" } }, "replay", fixture("failsAlways"), "--json")
    assert.strictEqual(JSON.parse(replayed.out).request.seed, "3")
  })

  it("names the marks that its scenario declared and no seed met, which is no failure of one scenario", async () => {
    const { code, out } = await typed("run", fixture("meetsOneMark"), "--seeds", "2")
    assert.match(out, /Marks that no run met\n {2}the program was there\n/)
    assert.notInclude(out, "the program was here")
    assert.strictEqual(code, 0)
    const document = JSON.parse((await typed("run", fixture("meetsOneMark"), "--seeds", "2", "--json")).out)
    assert.deepStrictEqual([document.failed, document.cold], [0, ["the program was there"]])
  })

  it("with a plan has its faults and no others", async () => {
    const plan = planOf({ when: { at: "2s" }, target: "server", fault: "process/pause", for: "1s" })
    const { code, out } = await typed("run", "example/payments", "--plan", plan, "--seeds", "3", "--json")
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(Object.keys(JSON.parse(out).effects), ["process/pause"])
  })
})

describe("a plan that waits for a fact which nobody tells", { timeout: 60_000 }, () => {
  it("is run, and its fault is said never to have taken effect", async () => {
    const { code, out } = await typed(
      "run",
      "calm",
      "--seed",
      "1",
      "--plan",
      kill({ when: { on: { fact: "NodeStartd" }, nth: 1 } })
    )
    assert.match(out, /Faults that took effect\n {2}process\/kill +never\n/)
    assert.strictEqual(code, 0)
  })
})

describe("the list of faults", { timeout: 60_000 }, () => {
  it("says of each kind when it can be and what it takes, as a plan must say it", async () => {
    const { out } = await typed("list", "faults")
    assert.match(out, /network\/loss +from until rate +a connection breaks/)
    assert.match(out, /clock\/jump +at or on +.* {2}\{millis: milliseconds\}\n/)
    const rows = JSON.parse((await typed("list", "faults", "--json")).out) as ReadonlyArray<Record<string, unknown>>
    assert.deepInclude(
      rows.find(({ name }) => name === "process/slow-cpu"),
      { when: ["at", "on"], parameters: { taskMicros: "microseconds" } }
    )
  })
})

describe("what was found is not lost", { timeout: 60_000 }, () => {
  it("when its reader has read enough, which is no error", async () => {
    const child = spawn(process.execPath, [launcher, "list", "mutants"], { cwd: at("") })
    child.stdout.destroy()
    let err = ""
    child.stderr.on("data", (text) => (err += String(text)))
    const [code] = await once(child, "close")
    assert.deepStrictEqual([code, err], [0, ""])
  })

  it("when its file cannot be written: the failure is shown, and then why", async () => {
    writeFileSync(at("failures"), "")
    const { code, err, out } = await typed("run", fixture("chargesTwice"), "--seeds", "20")
    assert.match(out, /charged twice/)
    assert.match(out, /\d+ failures could not be saved: failures\/\S+: (not a directory|file already exists)/)
    assert.notMatch(out + err, /\n {4}at |saved as/)
    assert.strictEqual(code, 1)
  })

  it("when it is told to stop: what is known by then is reported", async () => {
    const child = spawn(process.execPath, [launcher, "run", fixture("failsAlways"), "--seeds", "100000"], {
      cwd: at("")
    })
    let out = ""
    child.stdout.on("data", (text) => (out += String(text)))
    await once(child.stderr, "data")
    child.kill("SIGTERM")
    const [code] = await once(child, "close")
    assert.match(out, /stalled: not converged/)
    assert.match(out, /0 passed, \d+ failed/)
    assert.strictEqual(code, 143)
  })

  it("when the same seed fails under another strategy or another plan", async () => {
    const fails = async (...how: ReadonlyArray<string>): Promise<string> => {
      const { failures } = JSON.parse((await typed("run", fixture("failsAlways"), "--seed", "1", "--json", ...how)).out)
      return failures[0].file
    }
    const plan = (at: string) => ["--plan", planOf({ when: { at }, target: "*", fault: "process/kill" })]
    const files = [
      await fails(),
      await fails("--strategy", "fifo"),
      await fails(...plan("1s")),
      await fails(...plan("2s"))
    ]
    assert.lengthOf([...new Set(files)], 4)
    for (const file of files) assert.isTrue(existsSync(at(file)))
  })
})
