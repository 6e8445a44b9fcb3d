/** What a user is told of programs that hang, throw or leave the simulation: each case is a process of its own, in an empty directory. */
import { assert, describe, it } from "vitest"
import { commandLine, fixture } from "./CommandLine.fixture.ts"

const { fileOf, stormglass, typed } = commandLine()

describe("a program that does not come back", { timeout: 60_000 }, () => {
  it("is ended, its node is named, and it is not run again for the screen", async () => {
    const { code, err, out } = await typed("run", fixture("hangs"), "--seed", "1", "--patience", "5s")
    assert.match(out, /stalled: a task of a did not return within 5 s of host time/)
    assert.match(out, /saved as/)
    assert.lengthOf(err.match(/built/g) ?? [], 1)
    assert.strictEqual(code, 1)
  })

  it("is refused when it is the file of the scenario", async () => {
    const file = fileOf("await new Promise(() => setInterval(() => undefined, 1_000))", "awaits.mjs")
    const { code, err, out } = await typed("run", file, "--seed", "1", "--patience", "5s")
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
  ])("in its %s has crashed, with its own frames only", async (where, who) => {
    const file = fileOf(
      [
        `const fail = (name) => { if (name === "${where}") throw new Error("broken on purpose") }`,
        `export const broken = { name: "broken", story: "", safetyMillis: 1_000, parameters: {}, marks: [], faultKinds: [],`,
        `  build: (world) => { fail("build"); world.kernel.facts.tell(undefined, { _tag: "Told" })`,
        `    return { converged: () => { fail("converged"); return true } } },`,
        `  faults: () => { fail("faults"); return { version: 1, faults: [] } },`,
        `  invariants: [{ name: "broken", states: "", start: () => ({ step: () => fail("invariant") }) }],`,
        `  liveness: { withinMillis: 1_000, quietMillis: 0, noise: () => false } }`
      ].join("\n"),
      "broken.mjs"
    )
    const { code, out } = await typed("run", file, "--seed", "1")
    assert.match(out, new RegExp(`seed 1: ${who} crashed: Error: broken on purpose\n +at fail \\(broken\\.mjs:1:`))
    assert.notMatch(out, / at .*(node:|Simulation|World\.ts)/)
    assert.strictEqual(code, 1)
  })
})

describe("a program that leaves the simulation", { timeout: 60_000 }, () => {
  it("ends with 3, and is told what to use instead", async () => {
    const { code, out } = await typed("run", fixture("readsDate"), "--seeds", "1")
    assert.match(out, /Date\.now/)
    assert.match(out, /Clock/)
    assert.strictEqual(code, 3)
  })

  it("by ending the process has escaped, and ends nothing", async () => {
    const { code, out } = await typed("run", fixture("leaves"), "--seed", "1")
    assert.match(out, /escaped: process\.exit is of the host/)
    assert.match(out, /leaves\.ts:\d+/)
    assert.strictEqual(code, 3)
  })

  it("in a way that no trap sees has another digest, and the first fact that differs is shown", async () => {
    const { code, out } = stormglass("determinism", fixture("outlives"), "--strategy", "random", "--seeds", "1")
    assert.strictEqual(code, 3)
    assert.match(out, /the first fact that differs is number \d+\n.*fresh process.*"runs":1}.*\n.*"runs":\d/)
  })

  it("is not ruled out by runs that gave no result", async () => {
    const { code, out } = stormglass(
      "determinism",
      fixture("hangs"),
      "--strategy",
      "random",
      "--seeds",
      "1",
      "--patience",
      "1s"
    )
    assert.strictEqual(code, 3)
    assert.match(out, /hangs.*, seed 1, random: no digest, it gave no result/)
  })

  it.each([[], ["--json"]])(
    "in a run that fails another way when it is run again ends with 3 (%s)",
    async (...more) => {
      const { code, out } = await typed("run", fixture("failsAnew"), "--seed", "1", "--jobs", "1", ...more)
      assert.match(out, /DIGEST DIFFERS|"isDigestEqual": false/)
      assert.strictEqual(code, 3)
    }
  )

  it("does not happen in the scenarios of the catalogue", async () => {
    const { code, out } = stormglass("determinism", "calm", "--strategy", "random", "--seeds", "1")
    assert.match(out, /every digest equal/)
    assert.strictEqual(code, 0)
  })
})
