/** What a user is told of what was typed wrong, in an empty directory. In this process: starting one takes longer than all that is tested. */
import { assert, describe, it } from "vitest"
import { commandLine, failureDocument } from "./CommandLine.fixture.ts"

const { fileOf, typed } = commandLine()
const scenarioFile = (text: string): string => fileOf(text, "file.mjs")

const mutantOf = (...edits: ReadonlyArray<object>): string => fileOf(JSON.stringify({ name: "lost", edits }))

const savedFile = (wrong: object = {}): string => fileOf(JSON.stringify(failureDocument(wrong)))

/** A fault that would act, but for what is given. */
const kill = (wrong: object): string => planOf({ when: { at: "1s" }, target: "n1", fault: "process/kill", ...wrong })

const planOf = (entry: object): string => fileOf(JSON.stringify({ version: 1, faults: [entry] }))

describe("what is wrong is said in one line", { timeout: 60_000 }, () => {
  const cases: ReadonlyArray<readonly [string, () => ReadonlyArray<string>, RegExp]> = [
    ["a scenario that is misspelt", () => ["run", "everthing"], /no scenario "everthing".*everything/],
    ["a scenario's file that is not there", () => ["run", "./nowhere.ts"], /no file \.\/nowhere\.ts/],
    ["a mutant that is misspelt", () => ["run", "--mutant", "no-fense"], /no mutant "no-fense".*no-fence/],
    ["a flag that is misspelt", () => ["run", "--sedes", "3"], /--sedes/],
    ["a strategy that there is not", () => ["run", "--strategy", "lifo"], /lifo.*did you mean "fifo"/],
    ["a list that there is not", () => ["list", "scenario"], /"scenario".*did you mean "scenarios"/],
    ["nothing to compare with", () => ["compare", "calm"], /compare: say --with which version, as effect=effect-beta/],
    [
      "a version to compare with that is no alias",
      () => ["compare", "calm", "--with", "effect@4.0.0"],
      /--with "effect@4\.0\.0": write NAME=ALIAS/
    ],
    [
      "a version to compare with that is not installed",
      () => ["compare", "calm", "--with", "effect=effect-old"],
      /--with effect=effect-old: effect-old is not installed here; npm install --save-dev effect-old@npm:effect@VERSION/
    ],
    ["no workers", () => ["run", "calm", "--jobs", "0"], /--jobs: 0/],
    ["no workers for the mutants", () => ["mutants", "--jobs", "0"], /--jobs: 0/],
    [
      "mutants of which none concerns the database",
      () => ["mutants", "lock-without-timeout", "silence-is-life", "--storage", "pglite"],
      /--storage pglite: lock-without-timeout: not to be found on PGlite: no row is waited for/
    ],
    ["keys to revoke, of no restore", () => ["migrate", "--revoke-keys", "all"], /--revoke-keys: goes with --restored/],
    [
      "a key to revoke with its secret",
      () => ["migrate", "--restored", "--revoke-keys", `${"0".repeat(16)},sg_1`],
      /--revoke-keys: "sg_1": an id of a key is 16/
    ],
    [
      "a key whose verb is for no project, for one",
      () => ["keys", "create", "--principal", "ops", "--verbs", "admin", "--projects", "shop"],
      /--projects shop: the verb admin is for what belongs to no project: give it with every project \(\*\)/
    ],
    ["a quota of nothing", () => ["quota", "set", "shop"], /quota set: --fleets or --instances: how many\?/],
    [
      "a quota that is no number",
      () => ["quota", "set", "shop", "--fleets", "-1"],
      /--fleets "-1": a number from 0 on, or unlimited/
    ],
    ["a quota of a project that is none", () => ["quota", "set", "Shop", "--fleets", "1"], /project "Shop": a name is/],
    ["a state that there is not", () => ["get", "instances", "--state", "RUNING"], /RUNING.*did you mean "RUNNING"/],
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
      () => ["replay", scenarioFile(`import "./lost.ts"`), "--seed", "1"],
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
      /no fault plan: faults\.0\.when: Expected one of at, on, from or struck$/m
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
    it(what, async () => {
      const { code, err, out } = await typed(...args())
      assert.match(err, /^stormglass: [^\n]+\n$/)
      assert.match(err, said)
      assert.strictEqual(out, "")
      assert.strictEqual(code, 2)
    })
  }
})
