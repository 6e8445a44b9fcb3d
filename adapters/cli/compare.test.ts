/** The same plans on two versions: effect/cluster before and after the fix of https://github.com/Effect-TS/effect/issues/6508. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import path from "node:path"
import { assert, describe, it } from "vitest"
import type { Verdict } from "../../sim/run/Verdict.ts"
import { commandLine, failureDocument } from "./CommandLine.fixture.ts"
import { comparisonTable, differenceOf, type Side, summaryOf } from "./compareCommand.ts"

const { at, fileOf, typed } = commandLine()
const root = path.resolve(import.meta.dirname, "../..")
const example = (name: string): string => path.join(root, `scenarios/examples/${name}.ts`)

/** What is installed in the directory of the test is what is installed here. */
const installed = () => symlinkSync(path.join(root, "node_modules"), at("node_modules"))

describe("an entity whose runner hears nothing from its store for 54 s (seed 3)", { timeout: 60_000 }, () => {
  it("writes beside its successor on 4.0.0-beta.99, also when its file is replayed, and not on 4.1.0", async () => {
    installed()
    const how = ["--seeds", "2..3", "--with", "effect=effect-beta", "--jobs", "1", "--no-shrink", "--json"]
    const { code, out } = await typed("compare", example("clusterEntity"), ...how)
    const { both, onlyInstalled, onlyOther, sides } = JSON.parse(out)
    const [before, since] = sides
    assert.deepInclude(before, { versions: ["effect 4.0.0-beta.99"], runs: 2, failed: 1, seedFirst: "3" })
    assert.deepStrictEqual(before.failures, { "no-stale-writes": 1 })
    assert.deepInclude(since, { versions: ["effect 4.1.0"], runs: 2, failed: 0, seedFirst: null, failure: null })
    assert.deepStrictEqual([code, onlyOther, onlyInstalled, both], [1, 1, 0, 0])

    const replayed = await typed("replay", before.failure.file, "--json")
    assert.strictEqual(replayed.code, 1)
    assert.deepInclude(JSON.parse(replayed.out), { isDigestEqual: true, differences: [] })
  })

  it("is refused, not passed, where it needs sockets, which are simulated only for versions since 4.0.0", async () => {
    installed()
    const beta = { name: "effect", alias: "effect-beta", version: "4.0.0-beta.99" }
    const file = fileOf(JSON.stringify(failureDocument({ scenario: example("clusterSingleton"), with: [beta] })))
    const { code, err } = await typed("replay", file)
    assert.strictEqual(code, 2)
    assert.include(
      err,
      "effect 4.0.0-beta.99 (effect-beta) has no effect/net/NetAddress, which sim/network/addressOf.ts"
    )
  })
})

describe("an alias", () => {
  const install = (folder: string, manifest: object) => {
    mkdirSync(at(`node_modules/${folder}`), { recursive: true })
    writeFileSync(at(`node_modules/${folder}/package.json`), JSON.stringify(manifest))
  }

  it("that stands for another package is refused", async () => {
    install("effect-old", { name: "left-pad", version: "1.3.0" })
    const { code, err } = await typed("compare", "calm", "--with", "effect=effect-old")
    assert.strictEqual(code, 2)
    assert.include(err, "what is installed as effect-old is left-pad 1.3.0, and no version of effect")
  })

  it("of what is not installed itself is refused, and so are two of one package", async () => {
    install("thing-old", { name: "thing", version: "1.0.0" })
    const alone = await typed("compare", "calm", "--with", "thing=thing-old")
    assert.include(alone.err, "thing is not installed here, so there is nothing to compare with")
    const twice = await typed("compare", "calm", "--with", "thing=thing-old", "--with", "thing=thing-old")
    assert.include(twice.err, "thing is given twice")
    assert.deepStrictEqual([alone.code, twice.code], [2, 2])
  })
})

describe("the comparison", () => {
  const violated = (invariant: string): Verdict => ({
    _tag: "violated",
    invariant,
    message: "",
    evidence: {},
    factId: 0,
    atMicros: 0
  })
  const side = (version: string, ...verdicts: ReadonlyArray<Verdict>): Side => ({
    versions: [`thing ${version}`],
    runs: verdicts.map((verdict, nth) => ({ seed: String(nth + 1), digest: String(nth), verdict }))
  })
  const passed: Verdict = { _tag: "passed" }
  const stalled: Verdict = { _tag: "stalled", reason: "", waiting: [], atMicros: 0 }

  it("has a row for each way to fail, and counts the seeds that fail here, there and on both sides", () => {
    const old = side("1.0.0", passed, violated("no-loss"), violated("no-loss"), stalled)
    const now = side("2.0.0", stalled, passed, violated("no-loss"), passed)
    const rows = comparisonTable([summaryOf(old), summaryOf(now)]).map((row) => row.trim().split(/ {2,}/))
    assert.deepStrictEqual(rows.slice(0, -1), [
      ["thing 1.0.0", "thing 2.0.0"],
      ["runs", "4", "4"],
      ["failed", "3", "2"],
      ["no-loss", "2", "1"],
      ["stalled", "1", "1"],
      ["first seed that fails", "2", "1"]
    ])
    assert.deepStrictEqual(differenceOf(old, now), { onlyOther: 2, onlyInstalled: 1, both: 1 })
  })
})
