/** The command line as a user types it: each case is a process of its own, in an empty directory. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { commandLine, fixture, launcher } from "./CommandLine.fixture.ts"

const { at, fileOf, stormglass, stormglassIn } = commandLine()

const scenarioFile = (text: string): string => fileOf(text, "file.mjs")

const mutantOf = (...edits: ReadonlyArray<object>): string => fileOf(JSON.stringify({ name: "lost", edits }))

const savedFile = (wrong: object = {}): string =>
  fileOf(
    JSON.stringify({
      version: 1,
      scenario: "calm",
      seed: "1",
      strategy: "random",
      storage: "model",
      parameters: {},
      versions: { stormglass: "0", effect: "0", node: "0", v8: "0" },
      digest: "0",
      verdict: {},
      ...wrong
    })
  )

/** A fault that would act, but for what is given. */
const kill = (wrong: object): string => planOf({ when: { at: "1s" }, target: "n1", fault: "process/kill", ...wrong })

const planOf = (entry: object): string => fileOf(JSON.stringify({ version: 1, faults: [entry] }))

describe("a run", { timeout: 60_000 }, () => {
  it("in which all passes ends with 0", () => {
    const { code, out } = stormglass("run", "calm", "--seeds", "2")
    assert.match(out, /2 passed, 0 failed/)
    assert.strictEqual(code, 0)
  })

  it("on PGlite says so in its line and its file, and is replayed on PGlite", { timeout: 180_000 }, () => {
    const ran = stormglass("run", fixture("failsAlways"), "--seed", "1", "--storage", "pglite")
    assert.strictEqual(ran.code, 1)
    assert.match(ran.out, /replay \S+failsAlways.ts --seed 1 --storage pglite\b/)
    const [, file = ""] = /saved as (\S+)/.exec(ran.out) ?? []
    const { out } = stormglass("replay", file)
    assert.match(out, /digest \w+, equal/)
    const { code, err } = stormglass("replay", file, "--storage", "model")
    assert.strictEqual(code, 2)
    assert.match(err, /--storage is of the saved failure/)
  })

  it("that fails ends with 1, and its line and its file replay it with the same digest, until somebody edits it", () => {
    const ran = stormglass("run", fixture("chargesTwice"), "--seeds", "20")
    assert.strictEqual(ran.code, 1)
    const [, seed] = /replay \S+chargesTwice.ts --seed (\d+)/.exec(ran.out) ?? []
    const [, file] = /saved as (\S+)/.exec(ran.out) ?? []
    assert.isDefined(seed)
    assert.isDefined(file)

    const replayed = stormglass("replay", file)
    assert.match(replayed.out, /charged twice/)
    assert.match(replayed.out, /digest \w+, equal/)
    assert.strictEqual(replayed.code, 1)

    const bySeed = JSON.parse(stormglass("replay", fixture("chargesTwice"), "--seed", seed, "--json").out)
    const text = readFileSync(at(file), "utf8")
    assert.strictEqual(bySeed.digest, JSON.parse(text).digest)

    const edited = stormglass("replay", fileOf(JSON.stringify({ ...JSON.parse(text), digest: "0".repeat(64) })))
    assert.match(edited.out, /DIGEST DIFFERS/)
    assert.strictEqual(edited.code, 3)
  })

  it("that fails is also replayed from what was struck, which is another run with the same end", () => {
    const { failures } = JSON.parse(stormglass("run", fixture("chargesTwice"), "--seeds", "20", "--json").out)
    const { digest, file } = failures[0]
    const { pinned } = JSON.parse(readFileSync(at(file), "utf8"))
    const replayed = JSON.parse(stormglass("replay", file, "--pinned", "--json").out)
    assert.deepStrictEqual(replayed.plan, pinned)
    assert.strictEqual(replayed.verdict.invariant, "charged-once")
    assert.deepStrictEqual([replayed.expectedDigest, replayed.isDigestEqual], [digest, null])
  })

  it("in which an invariant itself throws is replayed by its file with the parameters and the faults that it had", () => {
    const ran = stormglass("run", fixture("invariantThrows"), "--seed", "4")
    assert.strictEqual(ran.code, 1)
    const [, file = ""] = /saved as (\S+)/.exec(ran.out) ?? []
    const saved = JSON.parse(readFileSync(at(file), "utf8"))
    assert.deepStrictEqual(Object.keys(saved.parameters), ["nodes"])
    assert.deepInclude(saved.plan.faults[0], { target: "random", fault: "process/kill" })

    const replayed = stormglass("replay", file)
    assert.match(replayed.out, /the invariant is broken/)
    assert.match(replayed.out, /digest \w+, equal/)
    assert.strictEqual(replayed.code, 1)
  })

  it("prints one document with --json, and nothing else", () => {
    const { code, err, out } = stormglass("run", fixture("chargesTwice"), "--seeds", "20", "--json")
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

  it("shows one failure of a kind, and names the others", () => {
    const { out } = stormglass("run", fixture("failsAlways"), "--seeds", "5")
    assert.lengthOf(out.match(/✗/g) ?? [], 1)
    assert.match(
      out,
      / 5 × stalled: not converged.*\n.*: seeds 1, 2, 3, 4, 5\n.*soonest: \S+, seed 1, in .*\n.*--seed 1\n/
    )
  })

  it("in which a kind of fault took effect too seldom says so last", () => {
    const { code, out } = stormglass("run", "calm", "--seed", "1", "--min-effects", "1")
    assert.match(out, /1 passed, 0 failed.*\nfailed: \d+ kinds of fault took effect less than 1 times\n$/)
    assert.strictEqual(code, 1)
  })

  it("that its budget ended says how many runs were not begun", () => {
    const { out } = stormglass("run", fixture("failsAlways"), "--seeds", "100000", "--budget", "2s")
    assert.match(out, /\n\d+ runs were not begun: the budget of 2s was over\n$/)
  })

  it("that was stopped at a virtual time has not passed", () => {
    const { code, out } = stormglass("replay", fixture("failsAlways"), "--seed", "1", "--until", "500ms")
    assert.match(out, /stopped at 0\.500 s: .*seed 1, nothing had failed by then/)
    assert.notInclude(out, "passed")
    assert.strictEqual(code, 0)
  })

  it("of a saved failure with another mutant says so in its line, and is not held against the digest of the file", () => {
    const { failures } = JSON.parse(stormglass("run", fixture("failsAlways"), "--seed", "a1", "--json").out)
    const { code, out } = stormglass("replay", failures[0].file, "--mutant", "no-brake")
    assert.include(out, `npx stormglass replay ${failures[0].file} --mutant no-brake\n`)
    assert.notInclude(out, "DIFFERS")
    assert.strictEqual(code, 1)
  })

  it("whose digest differs says which versions do", () => {
    const { failures } = JSON.parse(stormglass("run", fixture("failsAlways"), "--seed", "1", "--json").out)
    const saved = JSON.parse(readFileSync(at(failures[0].file), "utf8"))
    const replay = (versions: object) =>
      stormglass(
        "replay",
        fileOf(JSON.stringify({ ...saved, digest: "0", versions: { ...saved.versions, ...versions } }))
      )
    assert.match(replay({ effect: "3.9" }).out, /written by other versions: effect was 3\.9 and is \d/)
    assert.match(replay({}).out, /may have changed since the file was written/)
  })

  it("in which nothing ran, because its time was over, ends with 1", () => {
    const { code, out } = stormglass("run", "calm", "--budget", "0s")
    assert.match(out, /nothing ran within the budget of 0s/)
    assert.strictEqual(code, 1)
  })

  it("takes its seeds from what was typed, and from the environment only where nothing was", () => {
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

  it("names the marks that its scenario declared and no seed met, which is no failure of one scenario", () => {
    const { code, out } = stormglass("run", fixture("meetsOneMark"), "--seeds", "2")
    assert.match(out, /Marks that no run met\n {2}the program was there\n/)
    assert.notInclude(out, "the program was here")
    assert.strictEqual(code, 0)
    const document = JSON.parse(stormglass("run", fixture("meetsOneMark"), "--seeds", "2", "--json").out)
    assert.deepStrictEqual([document.failed, document.cold], [0, ["the program was there"]])
  })

  it("with a plan has its faults and no others", () => {
    const plan = planOf({ when: { at: "2s" }, target: "server", fault: "process/pause", for: "1s" })
    const { code, out } = stormglass("run", "example/payments", "--plan", plan, "--seeds", "3", "--json")
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(Object.keys(JSON.parse(out).effects), ["process/pause"])
  })
})

describe("a plan that waits for a fact which nobody tells", { timeout: 60_000 }, () => {
  it("is run, and its fault is said never to have taken effect", () => {
    const { code, out } = stormglass(
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
  it("says of each kind when it can be and what it takes, as a plan must say it", () => {
    const { out } = stormglass("list", "faults")
    assert.match(out, /network\/loss +from until rate +a connection breaks/)
    assert.match(out, /clock\/jump +at or on +.* {2}\{millis: milliseconds\}\n/)
    const rows = JSON.parse(stormglass("list", "faults", "--json").out) as ReadonlyArray<Record<string, unknown>>
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

  it("when its file cannot be written: the failure is shown, and then why", () => {
    writeFileSync(at("failures"), "")
    const { code, err, out } = stormglass("run", fixture("chargesTwice"), "--seeds", "20")
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

  it("when the same seed fails under another strategy or another plan", () => {
    const fails = (...how: ReadonlyArray<string>): string => {
      const { failures } = JSON.parse(stormglass("run", fixture("failsAlways"), "--seed", "1", "--json", ...how).out)
      return failures[0].file
    }
    const plan = (at: string) => ["--plan", planOf({ when: { at }, target: "*", fault: "process/kill" })]
    const files = [fails(), fails("--strategy", "fifo"), fails(...plan("1s")), fails(...plan("2s"))]
    assert.lengthOf([...new Set(files)], 4)
    for (const file of files) assert.isTrue(existsSync(at(file)))
  })
})

describe("a program that does not come back", { timeout: 60_000 }, () => {
  it("is ended, its node is named, and it is not run again for the screen", () => {
    const { code, err, out } = stormglass("run", fixture("hangs"), "--seed", "1", "--patience", "5s")
    assert.match(out, /stalled: a task of a did not return within 5 s of host time/)
    assert.match(out, /saved as/)
    assert.lengthOf(err.match(/built/g) ?? [], 1)
    assert.strictEqual(code, 1)
  })

  it("is refused when it is the file of the scenario", () => {
    const file = fileOf("await new Promise(() => setInterval(() => undefined, 1_000))", "awaits.mjs")
    const { code, err, out } = stormglass("run", file, "--seed", "1", "--patience", "5s")
    assert.match(err, /^stormglass: \S+awaits\.mjs did not load within 5 s: does a top-level await never settle\?\n$/)
    assert.deepStrictEqual([code, out], [2, ""])
  })
})

describe("a scenario whose own code throws", { timeout: 60_000 }, () => {
  it.each([
    ["build", "the scenario"],
    ["faults", "the scenario"],
    ["converged", "the scenario"],
    ["invariant", "the invariant broken"]
  ])("in its %s has crashed, with its own frames only", (where, who) => {
    const file = fileOf(
      [
        `const fail = (name) => { if (name === "${where}") throw new Error("broken on purpose") }`,
        `export const broken = { name: "broken", story: "", safetyMillis: 1_000, parameters: {}, marks: [], faultKinds: [],`,
        `  build: (world) => { fail("build"); world.kernel.facts.tell(undefined, { _tag: "Told" })`,
        `    return { converged: () => { fail("converged"); return true } } },`,
        `  faults: () => { fail("faults"); return { version: 1, faults: [] } },`,
        `  invariants: [{ name: "broken", states: "", start: () => () => fail("invariant") }],`,
        `  liveness: { withinMillis: 1_000, quietMillis: 0, noise: () => false } }`
      ].join("\n"),
      "broken.mjs"
    )
    const { code, out } = stormglass("run", file, "--seed", "1")
    assert.match(out, new RegExp(`seed 1: ${who} crashed: Error: broken on purpose\n +at fail \\(broken\\.mjs:1:`))
    assert.notMatch(out, / at .*(node:|Simulation|World\.ts)/)
    assert.strictEqual(code, 1)
  })
})

describe("a program that leaves the simulation", { timeout: 60_000 }, () => {
  it("ends with 3, and is told what to use instead", () => {
    const { code, out } = stormglass("run", fixture("readsDate"), "--seeds", "1")
    assert.match(out, /Date\.now/)
    assert.match(out, /Clock/)
    assert.strictEqual(code, 3)
  })

  it("by ending the process has escaped, and ends nothing", () => {
    const { code, out } = stormglass("run", fixture("leaves"), "--seed", "1")
    assert.match(out, /escaped: process\.exit is of the host/)
    assert.match(out, /leaves\.ts:\d+/)
    assert.strictEqual(code, 3)
  })

  it("in a way that no trap sees has another digest, and the first fact that differs is shown", () => {
    const { code, out } = stormglass("determinism", fixture("outlives"), "--seeds", "1")
    assert.strictEqual(code, 3)
    assert.match(out, /the first fact that differs is number \d+\n.*fresh process.*"runs":1}.*\n.*"runs":\d/)
  })

  it("is not ruled out by runs that gave no result", () => {
    const { code, out } = stormglass("determinism", fixture("hangs"), "--seeds", "1", "--patience", "1s")
    assert.strictEqual(code, 3)
    assert.match(out, /hangs.*, seed 1, random: no digest, it gave no result/)
  })

  it.each([[], ["--json"]])("in a run that fails another way when it is run again ends with 3 (%s)", (...more) => {
    const { code, out } = stormglass("run", fixture("failsAnew"), "--seed", "1", "--jobs", "1", ...more)
    assert.match(out, /DIGEST DIFFERS|"isDigestEqual": false/)
    assert.strictEqual(code, 3)
  })

  it("does not happen in the scenarios of the catalogue", () => {
    const { code, out } = stormglass("determinism", "calm", "--seeds", "1")
    assert.match(out, /every digest equal/)
    assert.strictEqual(code, 0)
  })
})

describe("what is wrong is said in one line", { timeout: 60_000 }, () => {
  const cases: ReadonlyArray<readonly [string, () => ReadonlyArray<string>, RegExp]> = [
    ["a scenario that is misspelt", () => ["run", "everthing"], /no scenario "everthing".*everything/],
    ["a scenario's file that is not there", () => ["run", "./nowhere.ts"], /no file \.\/nowhere\.ts/],
    ["a mutant that is misspelt", () => ["run", "--mutant", "no-fense"], /no mutant "no-fense".*no-fence/],
    ["a flag that is misspelt", () => ["run", "--sedes", "3"], /--sedes/],
    ["a strategy that there is not", () => ["run", "--strategy", "lifo"], /lifo.*did you mean "fifo"/],
    ["a list that there is not", () => ["list", "scenario"], /"scenario".*did you mean "scenarios"/],
    ["no workers", () => ["run", "calm", "--jobs", "0"], /--jobs: 0/],
    ["no workers for the mutants", () => ["mutants", "--jobs", "0"], /--jobs: 0/],
    [
      "mutants of which none concerns the database",
      () => ["mutants", "lock-without-timeout", "silence-is-life", "--storage", "pglite"],
      /--storage pglite: lock-without-timeout: not to be found on PGlite: no row is waited for/
    ],
    ["one seed and many", () => ["run", "calm", "--seed", "1", "--seeds", "2"], /--seed and --seeds/],
    ["more seeds than there is room for", () => ["run", "calm", "--seeds", "99999999999"], /at most 1000000/],
    ["more runs than there is room for", () => ["run", "--seeds", "1000000"], /at most 1000000 runs at once/],
    [
      "more seeds to compare than there is room for",
      () => ["determinism", "calm", "--seeds", "99999999999"],
      /at most/
    ],
    ["a range of seeds that runs backwards", () => ["run", "--seeds", "9..5"], /9\.\.5/],
    ["a range of no seeds", () => ["run", "--seeds", "0"], /--seeds|seeds/],
    ["a duration without a unit that is known", () => ["run", "--budget", "5 parsecs"], /--budget/],
    ["a replay without a seed", () => ["replay", "everything"], /--seed/],
    ["what was struck, of no failure", () => ["replay", "calm", "--seed", "1", "--pinned"], /--pinned needs the file/],
    ["a file that throws", () => ["run", scenarioFile(`\nthrow new Error("not today")`)], /file\.mjs:2: not today/],
    [
      "a file that is no program",
      () => ["replay", fileOf("const x: = 3", "file.ts"), "--seed", "1"],
      /file\.ts:1: \S.*`=`/
    ],
    [
      "a file that misses another",
      () => ["determinism", scenarioFile(`import "./lost.ts"`)],
      /lost\.ts.* imported from/
    ],
    ["a file that misses a package", () => ["run", scenarioFile(`import "lost"`)], /package 'lost' imported from/],
    [
      "a file that misses an export",
      () => ["run", scenarioFile(`import { lost } from "node:fs"`)],
      /file\.mjs:1:.*not provide an export named 'lost'/
    ],
    ["a file that ends the process", () => ["run", scenarioFile("process.exit(0)")], /does not load: its thread ended/],
    ["an empty seed", () => ["run", "calm", "--seed="], /--seed "": a seed is/],
    ["a seed with a sign", () => ["run", "calm", "--seed=-5"], /--seed "-5": a seed is/],
    ["less than no effects", () => ["run", "calm", "--min-effects=-1"], /--min-effects: -1/],
    ["a seed for a saved failure", () => ["replay", savedFile(), "--seed", "9"], /--seed is of the saved failure/],
    [
      "a strategy for a saved failure",
      () => ["replay", savedFile(), "--strategy", "fifo"],
      /--strategy is of the saved/
    ],
    ["no patience", () => ["run", "calm", "--patience", "0s"], /--patience/],
    [
      "a trace to nowhere",
      () => ["replay", "calm", "--seed", "1", "--trace", "nowhere/t"],
      /--trace.*nowhere\/t: no such/
    ],
    ["a trace to a directory", () => ["replay", "calm", "--seed", "1", "--trace", "."], /--trace: cannot write \./],
    ["a failure file that is cut short", () => ["replay", fileOf(`{ "format": 1, "scen`)], /is no failure file/],
    ["a plan that is no JSON", () => ["run", "calm", "--plan", fileOf("[")], /is no fault plan/],
    [
      "a plan of a fault that there is not",
      () => ["run", "calm", "--plan", planOf({ when: { at: "1s" }, target: "n1", fault: "network/partitoin" })],
      /network\/partitoin.*network\/partition/
    ],
    [
      "a plan for a node that there is not",
      () => ["run", "calm", "--plan", planOf({ when: { at: "1s" }, target: "n9", fault: "process/pause" })],
      /n9/
    ],
    [
      "a plan for a tag that there is not",
      () => ["run", "calm", "--plan", kill({ target: "random(proces)" })],
      /did you mean "process"/
    ],
    [
      "a plan for a lease that there is not",
      () => ["run", "calm", "--plan", kill({ target: "leaderOf(leadr)" })],
      /did you mean "leader"/
    ],
    [
      "a plan for the fact before the first",
      () => ["run", "calm", "--plan", kill({ when: { on: { fact: "NodeStarted" }, nth: 0 } })],
      /nth is 0/
    ],
    [
      "a plan of a parameter that there is not",
      () => ["run", "calm", "--plan", kill({ fault: "clock/jump", parameters: { milis: 3 } })],
      /clock\/jump has no parameter "milis", it takes millis; did you mean "millis"/
    ],
    [
      "a plan whose window runs backwards",
      () => ["run", "calm", "--plan", kill({ fault: "network/loss", when: { from: "9s", until: "2s", rate: 0.5 } })],
      /from 9s until 2s is backwards/
    ],
    [
      "a plan whose core is no list of nodes",
      () => ["run", "calm", "--plan", fileOf(JSON.stringify({ version: 1, faults: [], core: ["*"] }))],
      /core: "\*" is no node, there is .*n1/
    ],
    ["a plan that is a list", () => ["run", "calm", "--plan", fileOf("[]")], /it is a list, and not an object/],
    [
      "a plan whose moment is of no kind",
      () => ["run", "calm", "--plan", kill({ when: {} })],
      /no fault plan: Expected one of at, on, from or struck at/
    ],
    ["a directory in place of a scenario", () => ["run", "./"], /\.\/ is a directory/],
    [
      "a file that is no failure",
      () => ["replay", fileOf("{}", "given")],
      /given is no failure file: it has no version/
    ],
    ["a path to nothing", () => ["run", "./nowhere"], /there is no file \.\/nowhere/],
    ["a mutant that changes nothing", () => ["run", "--mutant", mutantOf()], /mutant lost: it has no edits/],
    [
      "a mutant that replaces a text by itself",
      () => ["run", "--mutant", mutantOf({ file: "core/ControlPlane.ts", find: "import", replace: "import" })],
      /the replacement is the text to find/
    ],
    [
      "a mutant of a file that is not of the repository",
      () => ["run", "--mutant", mutantOf({ file: "/etc/passwd", find: "root", replace: "toor" })],
      /\/etc\/passwd is not inside the repository/
    ],
    [
      "a mutant of a file beside the repository",
      () => ["run", "--mutant", mutantOf({ file: "core/../../x", find: "a", replace: "b" })],
      /x is not inside the repository/
    ],
    [
      "a saved failure whose mutant does not fit",
      () => ["replay", savedFile({ mutant: { name: "lost", edits: [] } })],
      /mutant lost: it has no edits/
    ],
    ["a mutant that is no mutant", () => ["run", "--mutant", fileOf("{}")], /given\.json/],
    [
      "a mutant whose text is not there",
      () => {
        const edit = { file: "core/ControlPlane.ts", find: "no such text", replace: "" }
        return ["run", "--mutant", fileOf(JSON.stringify({ name: "lost", why: "", incident: "", edits: [edit] }))]
      },
      /core\/ControlPlane\.ts/
    ]
  ]
  for (const [what, args, said] of cases) {
    it(what, () => {
      const { code, err, out } = stormglass(...args())
      assert.match(err, /^stormglass: [^\n]+\n$/)
      assert.match(err, said)
      assert.strictEqual(out, "")
      assert.strictEqual(code, 2)
    })
  }
})
