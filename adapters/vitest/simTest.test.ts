/** The tests of a user, run as a user runs them: each case is a vitest of its own, in a directory of its own. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { vitestLine } from "../../reports/vitestLine.ts"
import { openFailure } from "../cli/Session.ts"
import { failurePath } from "./Hunt.ts"

const repository = path.join(import.meta.dirname, "../..")
const vitest = path.join(repository, "node_modules/vitest/vitest.mjs")
const stormglass = path.join(repository, "adapters/cli/stormglass.js")
const chargesTwice = path.join(repository, "adapters/cli/fixtures/chargesTwice.ts")

/** A shop whose server charges twice until it is mended. */
const shop = `
import { simProperty, simTest } from "${repository}/adapters/vitest/simTest.ts"
import { payments } from "${repository}/scenarios/examples/payments.ts"
import chargesTwice from "${chargesTwice}"
import { kindsOf } from "${repository}/sim/nemesis/faultKinds.ts"
import * as Effect from "${import.meta.resolve("effect/Effect")}"
import * as Mark from "${repository}/core/facts/Mark.ts"
import * as Scenario from "${repository}/sim/run/Scenario.ts"

const shop = process.env.SHOP === "mended" ? payments : chargesTwice
simTest("nobody's card (or wallet) is charged twice", shop, { seeds: 40 })
simTest("exported", shop, { seeds: 40, exportedBy: "${chargesTwice}" })
simProperty("whatever breaks", shop, { kinds: kindsOf("network"), runs: 40 })

const build = () => {
  if (process.env.SHOP !== "mended") throw new Error("no world")
}
simTest("built", Scenario.make({ name: "unbuilt", story: "", safetyMillis: 1, build }), { seeds: 1 })

const marks = process.env.SHOP === "mended" ? [] : [Mark.reachable("was anything sold")]
simTest("opened", Scenario.make({ name: "idle", story: "", safetyMillis: 1, build: () => {}, marks }), { seeds: 3 })
const till = (world) => world.addNode("till", Effect.fail(new Error("no drawer")), { onExit: { _tag: "Restart", afterMicros: 1 } }).start()
simTest("stays up", Scenario.make({ name: "stuck", story: "", safetyMillis: 1, build: till, marks }), { seeds: 2 })
`
/** What is asked of tests that cannot be. */
const misspelt = `
import { asking, askAnswered } from "${repository}/sim/outside/OutsideResource.ts"
import * as ServiceScenario from "${repository}/sim/services/ServiceScenario.ts"

simTest("wrong storage", payments, { storage: "pg" })
simProperty("wrong strategy", payments, { strategy: "fast" })
simTest("wrong kinds", payments, { kinds: ["network/reset"] })
const idle = { name: "idle", story: "", program: () => undefined, ask: () => Effect.void, invariants: [] }
simTest("wrong size", ServiceScenario.make({ ...idle, processes: 2 }))
simTest("wrong database", ServiceScenario.make(idle))
const lost = (world) => world.addNode("customer", asking("bread", Effect.fail(new Error("no such aisle")))).start()
simTest("wrong aisle", Scenario.make({ name: "lost", story: "", safetyMillis: 1, build: lost, marks: [askAnswered] }), { seeds: 2 })
`
const lineOf = (text: string) => shop.split("\n").findIndex((line) => line.includes(text)) + 1

let directory: string
beforeAll(() => {
  directory = realpathSync(mkdtempSync(path.join(tmpdir(), "stormglass-vitest-")))
  writeFileSync(path.join(directory, "shop.test.ts"), shop)
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Run {
  readonly code: number | null
  readonly out: string
  readonly messages: Readonly<Record<string, string>>
}

const sh = (command: string, variables: Readonly<Record<string, string>> = {}): Run => {
  const own = Object.entries(process.env).filter(([name]) => !/^(STORMGLASS|VITEST|GITHUB)/.test(name))
  const env = { ...Object.fromEntries(own), NO_COLOR: "1", ...variables }
  const json = path.join(directory, "report.json")
  // What a user's `npx` finds, without asking the network for it.
  const found = command
    .replace("npx vitest", `"${process.execPath}" "${vitest}"`)
    .replace("npx stormglass", `"${process.execPath}" "${stormglass}"`)
  const reported = `${found} --reporter=default --reporter=github-actions --reporter=json --outputFile="${json}"`
  const { status, stderr, stdout } = spawnSync("sh", ["-c", command.includes("vitest") ? reported : found], {
    cwd: directory,
    env,
    encoding: "utf8"
  })
  return { code: status, out: `${stdout}${stderr}`, messages: command.includes("vitest") ? messagesIn(json) : {} }
}

/** Of each failed test, with its stack. */
const messagesIn = (json: string): Readonly<Record<string, string>> => {
  const { testResults } = JSON.parse(readFileSync(json, "utf8")) as {
    readonly testResults: ReadonlyArray<{
      readonly assertionResults: ReadonlyArray<{ title: string; failureMessages: ReadonlyArray<string> }>
    }>
  }
  const results = testResults.flatMap(({ assertionResults }) => assertionResults)
  return Object.fromEntries(results.map(({ failureMessages, title }) => [title, failureMessages.join("\n")]))
}

const replayIn = (message: string): string => /Again, exactly\n {2}(.*)\n/.exec(message)?.[1] ?? ""
const saved = (file: string) => readFileSync(path.join(directory, file), "utf8")

describe("tests of a shop that charges twice", { timeout: 120_000 }, () => {
  const card = "nobody's card (or wallet) is charged twice"
  let first: Run
  beforeAll(() => {
    first = sh("npx vitest run")
  }, 120_000)

  it("fail with the small plan, its story and the line that replays it, at the line that declares them", () => {
    assert.strictEqual(first.code, 1)
    for (const [title, line] of [
      [card, lineOf("card")],
      ["exported", lineOf("exported")],
      ["whatever breaks", lineOf("whatever")]
    ] as const) {
      const message = first.messages[title] ?? ""
      assert.match(message, /charged-once: order \d+ was charged twice/)
      assert.match(message, /What it takes {2}.*\d+ faults → 1/)
      assert.match(message, /\n {2}1\. network\/.*\n {5}removed {3}passes\n/)
      assert.match(message, /How it came about\n/)
      const frames = message.split("\n").filter((text) => /^\s+at .*:\d+:\d+\)?$/.test(text))
      assert.lengthOf(frames, 1)
      assert.include(frames[0], `shop.test.ts:${line}:`)
    }
  })

  it("that pass without having reached what must be reached fail, and say what it is", () => {
    const message = first.messages["opened"] ?? ""
    assert.include(message, "in none of 3 runs was anything sold: does what the nodes run come up, and is it asked?")
    assert.include(message, `shop.test.ts:${lineOf("opened")}:`)
    assert.include(
      first.messages["stays up"],
      "in none of 2 runs was anything sold: till ended after 0 s: Error: no drawer\n"
    )
  })

  it("that cannot even be built say where it was thrown, without the frames of the simulator", () => {
    const message = first.messages["built"] ?? ""
    assert.match(message, /the scenario crashed: Error: no world\n/)
    const frames = message.split("\n").filter((text) => /^\s+at .*:\d+:\d+\)?$/.test(text))
    assert.isAbove(frames.length, 1)
    for (const frame of frames) assert.include(frame, "shop.test.ts:")
  })

  it("are annotated for GitHub, each at its line and with all of its screen", () => {
    const annotations = first.out.split("\n").filter((line) => line.startsWith("::error "))
    assert.lengthOf(annotations, 6)
    for (const text of annotations) {
      if (text.includes("was anything sold")) continue
      assert.match(text, /file=[^,]*shop\.test\.ts,title=[^:]*,line=\d+,column=\d+::SimFailure/)
      assert.match(text, /Again, exactly%0A {2}npx /)
    }
  })

  it("are replayed by the line that was given, first and with the same digest; what is saved stays the same", () => {
    const line = replayIn(first.messages[card] ?? "")
    assert.strictEqual(line, vitestLine("shop.test.ts", card))
    const file = failurePath("example/payments", card, undefined)
    const before = saved(file)
    const again = sh(line)
    assert.strictEqual(again.code, 1)
    const { digest } = JSON.parse(before) as { readonly digest: string }
    assert.include(again.messages[card], `replayed from ${file}: digest ${digest}, equal`)
    assert.strictEqual(saved(file), before)
    assert.match(again.out, /1 failed.*5 skipped/)
  })

  it("are replayed by the command line where a file exports the scenario, and refused by it where none does", () => {
    const { code, out } = sh(replayIn(first.messages["exported"] ?? ""))
    assert.strictEqual(code, 1)
    assert.match(out, /digest \w+, equal/)
    const file = path.join(directory, failurePath("example/payments", card, undefined))
    const told = `only its test knows: ${vitestLine("shop.test.ts", card)} replays it`
    assert.throws(() => openFailure(file, undefined), told)
  })

  it("pass once it is mended, and say of each saved failure that it passes now; the file is kept", () => {
    const mended = sh("npx vitest run", { SHOP: "mended", STORMGLASS_SEEDS: "3" })
    assert.strictEqual(mended.code, 0)
    const files = readdirSync(path.join(directory, "failures"))
    assert.lengthOf(files, 4)
    for (const file of files) assert.include(mended.out, `failures/${file} passes now`)
  })

  it("that ask for what cannot be are told in one line what is wrong and what to give instead", () => {
    const file = path.join(directory, "misspelt.test.ts")
    writeFileSync(file, `${shop.replace(`exportedBy: "${chargesTwice}"`, `exportedBy: "./shop.ts"`)}${misspelt}`)
    const { messages } = sh("npx vitest run misspelt.test.ts -t 'exported|wrong'")
    rmSync(file)
    const idle = 'ServiceScenario.make of "idle": processes is 2'
    const onPglite = 'run it with --storage pglite, or storage: "pglite" of simTest'
    for (const [title, told] of [
      ["exported", `exportedBy "./shop.ts": there is no such file in ${directory}`],
      ["wrong storage", 'storage "pg": there is model, pglite'],
      ["wrong strategy", 'strategy "fast": there is random, fifo, pct'],
      [
        "wrong kinds",
        'kinds: give kinds of fault and not their names, as kindsOf("network/reset") of sim/nemesis/faultKinds'
      ],
      ["wrong size", `${idle}: give the least, 1 or more, and the most, as [2, 3]`],
      ["wrong database", `its programs have SQL of their own: ${onPglite}`],
      [
        "wrong aisle",
        "in none of 2 runs was anything asked and answered: customer asked for bread in vain, after 0 s: Error: no such aisle"
      ]
    ] as const) {
      const [said, frame, ...rest] = messages[title]?.split("\n") ?? []
      assert.deepStrictEqual([said, rest], [`SimFailure: ${told}`, []])
      assert.include(frame, "misspelt.test.ts:")
    }
  })

  it("run the one seed that is asked for without what is saved, and say in one line of seeds that they are none", () => {
    const message = first.messages["exported"] ?? ""
    const [, seed = ""] = /STORMGLASS_SEED=(\w+) npx vitest/.exec(message) ?? []
    const { messages } = sh("npx vitest run", { STORMGLASS_SEED: seed, STORMGLASS_SEEDS: "9..5" })
    const timeless = (text = "") => text.replaceAll(/, [\d.]+ s\)/g, "")
    assert.strictEqual(timeless(messages["exported"]), timeless(message))
    const line = /^SimFailure: STORMGLASS_SEEDS "9\.\.5": the range is backwards\n\s+at .*$/
    assert.match(messages["whatever breaks"] ?? "", line)
  })
})

describe("the file of a test's failure", () => {
  it("is another one for another test, scenario or planted bug, however long and alike their names are", () => {
    const long = "x".repeat(300)
    const files = [
      failurePath("a", "b", undefined),
      failurePath("a b", "", undefined),
      failurePath("a", "b", "no-fence"),
      failurePath("a", `${long}1`, undefined),
      failurePath("a", `${long}2`, undefined),
      failurePath(long, "ö/ü '…'", undefined)
    ]
    assert.strictEqual(new Set(files).size, files.length)
    for (const file of files) assert.match(file, /^failures\/[\w-]{1,200}-small\.json$/)
  })
})
