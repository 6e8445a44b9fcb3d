/** Failures made small, as a user types it: each case is a process of its own, in an empty directory. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { commandLine, fixture } from "./CommandLine.fixture.ts"

const { at, typed } = commandLine()
const chargesTwice = fixture("chargesTwice")

describe("a run that fails", { timeout: 60_000 }, () => {
  it("comes back small: what it takes, how it came about, and a line that replays it with the same digest", async () => {
    const { code, out } = await typed("run", chargesTwice, "--seeds", "20")
    assert.strictEqual(code, 1)
    assert.match(out, /What it takes {2}\d+ \w+ → \d+/)
    assert.match(out, /How it came about\n/)
    // Both charges, though only the second one was caused by the fact that the violation was found at.
    assert.isAtLeast(out.match(/Charged +order=/g)?.length ?? 0, 2)
    const [, small = ""] = /replay (\S+-small\.json)/.exec(out) ?? []
    const again = await typed("replay", small)
    assert.strictEqual(again.code, 1)
    assert.match(again.out, /charged twice/)
    assert.match(again.out, /digest \w+, equal/)
  })

  it("is shown as it was found with --no-shrink", async () => {
    const { out } = await typed("run", chargesTwice, "--seeds", "20", "--no-shrink")
    assert.match(out, /Faults that struck/)
    assert.notMatch(out, /What it takes/)
    const [, file = ""] = /saved as (\S+)/.exec(out) ?? []
    assert.isTrue(existsSync(at(file)))
    assert.isFalse(existsSync(at(file.replace(".json", "-small.json"))))
  })
})

describe("a run with a mutant, which ends at its first failure", { timeout: 60_000 }, () => {
  it("leaves one file, whatever failed beside it on other workers", async () => {
    const args = ["--mutant", "no-brake", "--seeds", "8", "--jobs", "2", "--no-shrink"]
    const { code, out } = await typed("run", fixture("failsAlways"), ...args)
    const [, file = ""] = /saved as failures\/(\S+)/.exec(out) ?? []
    assert.match(file, /-1-no-brake\.json$/)
    assert.deepStrictEqual(readdirSync(at("failures")), [file])
    assert.strictEqual(code, 1)
  })

  it("names that file in its document", async () => {
    const args = ["--mutant", "no-brake", "--jobs", "2", "--no-shrink", "--json"]
    const { failures } = JSON.parse((await typed("run", fixture("failsAlways"), ...args)).out)
    assert.lengthOf(failures, 1)
    assert.isTrue(existsSync(at(failures[0].file)))
  })
})

describe("a saved failure", { timeout: 60_000 }, () => {
  const saved = async (): Promise<string> => {
    const { failures } = JSON.parse((await typed("run", chargesTwice, "--seeds", "20", "--no-shrink", "--json")).out)
    assert.isNull(failures[0].small)
    return failures[0].file
  }

  it("is made small by its file; the document says what was less, which faults are needed, and where it is", async () => {
    const { code, out } = await typed("shrink", await saved(), "--json")
    assert.strictEqual(code, 1)
    const { after, before, file, isFinished, needs, plan, verdict } = JSON.parse(out)
    assert.isTrue(isFinished)
    assert.isAtMost(after.faults, before.faults)
    assert.lengthOf(plan.faults, after.faults)
    assert.lengthOf(needs, after.faults)
    // It was made small: whatever is left is needed.
    for (const need of needs) assert.isTrue(need.isNecessary)
    const small = JSON.parse(readFileSync(at(file), "utf8"))
    assert.deepStrictEqual(small.verdict, verdict)
    // Once more, there is nothing left to take away.
    const again = JSON.parse((await typed("shrink", file, "--json")).out)
    assert.deepStrictEqual(again.after, after)
  })

  it("that passes by now says so, and why that may be", async () => {
    const file = await saved()
    const failure = JSON.parse(readFileSync(at(file), "utf8"))
    writeFileSync(at(file), JSON.stringify({ ...failure, operations: [], plan: { version: 1, faults: [] } }))
    const { code, out } = await typed("shrink", file)
    assert.match(out, /^it passes now: /)
    assert.strictEqual(code, 0)
  })

  it.each([
    ["that is not there", ["nowhere.json"], /^stormglass: failure file: cannot read nowhere.json\n$/],
    ["that is a scenario", [chargesTwice], /it takes the file of a saved failure\n$/],
    ["with a budget that is none", ["nowhere.json", "--budget", "soon"], /^stormglass: --budget: "soon" is no duration/]
  ])("%s is refused in one line", async (_what, args, expected) => {
    const { code, err, out } = await typed("shrink", ...args)
    assert.match(err, expected)
    assert.deepStrictEqual([code, out], [2, ""])
  })
})

describe("a search", { timeout: 60_000 }, () => {
  it("ends at the first failure, whoever finds it, and hands it over small and replayable", async () => {
    for (const by of ["swarm", "placed", "novelty"]) {
      const { code, out } = await typed("search", chargesTwice, "--by", by, "--runs", "400", "--json")
      assert.strictEqual(code, 1, by)
      const { failure, runs } = JSON.parse(out)
      assert.isAtLeast(runs, 1)
      assert.strictEqual(failure.verdict.invariant, "charged-once")
      assert.isAtMost(failure.small.after.faults, 2)
      const replayed = JSON.parse((await typed("replay", failure.small.file, "--json")).out)
      assert.strictEqual(replayed.digest, failure.small.digest)
    }
  })

  it("that finds nothing says how far it went, and passes", async () => {
    const { code, out } = await typed("search", "example/payments", "--runs", "3")
    assert.match(out, /^no failure in 3 runs by portfolio/)
    assert.strictEqual(code, 0)
  })

  it.each([
    [["--by", "luck"], /--by|by: .*portfolio|luck/],
    [["--runs", "0"], /--runs: 0 is less than one/],
    [["--seed-first", "-1"], /--seed-first/]
  ] as const)("refuses %s", async (flags, said) => {
    const { code, err } = await typed("search", "example/payments", ...flags)
    assert.strictEqual(code, 2)
    assert.match(err, said)
    assert.lengthOf(err.trim().split("\n"), 1)
  })
})
