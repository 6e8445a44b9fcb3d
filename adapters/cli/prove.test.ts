/** Exhaustive searches, as a user types them: each case is a process of its own, in an empty directory. */
import { assert, describe, it } from "vitest"
import { commandLine, fixture } from "./CommandLine.fixture.ts"

const { typed } = commandLine()

describe("prove", { timeout: 180_000 }, () => {
  it("says of what holds up to which bound it does, and ends with 0", async () => {
    const { code, out } = await typed("prove", "example/payments", "--until", "5ms")
    assert.match(out, /✓ example\/payments: no violation in \d+ runs/)
    assert.match(out, /before 5ms of it, each thing by itself: \d+/)
    assert.match(out, /network\/latency-tail +\d+/)
    assert.match(out, /2 at once, each within 5ms of the one before: .*: \d+/)
    assert.match(out, /left out, as it cannot differ: \d+ between two steps/)
    assert.strictEqual(code, 0)
  })

  it("says the same of each run, however many workers there are", async () => {
    const of = async (jobs: string) => {
      const { out } = await typed(
        "prove",
        "example/payments",
        "--until",
        "2ms",
        "--choices",
        "1",
        "--json",
        "--jobs",
        jobs
      )
      const { wallSeconds: _wallSeconds, ...proof } = JSON.parse(out)
      return proof
    }
    const [one, three] = [await of("1"), await of("3")]
    assert.deepStrictEqual(one, three)
    assert.isTrue(one.isProven)
    assert.strictEqual(
      one.runs[1],
      Object.values<number>(one.kinds).reduce((sum, count) => sum + count, 0)
    )
  })

  it("shows what fails, small, in a file that replays it, and ends with 1", async () => {
    const { code, out } = await typed("prove", fixture("chargesTwice"), "--until", "1s")
    assert.strictEqual(code, 1)
    assert.match(out, /charged-once: order \d+ was charged twice/)
    assert.match(out, /What it takes/)
    assert.match(out, /found by run \d+, in [\d.]+ s: network\/\S+ /)
    const [, file = ""] = /saved as (\S+)/.exec(out) ?? []
    const again = await typed("replay", file)
    assert.strictEqual(again.code, 1)
    assert.match(again.out, /digest \w+, equal/)
  })

  it("finds what comes about only in another order of tasks, and its file keeps that order", async () => {
    const found = JSON.parse((await typed("prove", fixture("needsAnotherOrder"), "--json")).out)
    assert.strictEqual(found.isProven, false)
    assert.match(found.failure.choices.join(), /^schedule\//)
    assert.strictEqual(found.failure.small.after.faults, 0)
    for (const file of [found.failure.file, found.failure.small.file]) {
      const again = await typed("replay", file)
      assert.match(again.out, /digest \w+, equal/)
      assert.strictEqual(again.code, 1)
    }
    assert.match((await typed("shrink", found.failure.file)).out, /bank\/1@\d+=1: another task of bank goes first/)
  })

  it("says of planted bugs what finds them, a line for each", async () => {
    const { code, out } = await typed(
      "prove",
      "example/two-node-lease",
      "--choices",
      "1",
      "--mutants",
      "read-then-create-lock,no-brake",
      "--until",
      "1us"
    )
    assert.match(out, /read-then-create-lock +1 runs +[\d.]+ s {2}lease-rows: nothing need go wrong/)
    assert.match(out, /no-brake .*not found/)
    assert.match(out, /1 of 2 found/)
    assert.strictEqual(code, 1)
  })

  it("refuses what it cannot do in one line, with 2", async () => {
    const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, why: RegExp]> = [
      [[], /scenario/],
      [
        ["example/two-node-leas"],
        /there is no scenario "example\/two-node-leas"; did you mean "example\/two-node-lease"\?/
      ],
      [["example/payments", "--choices", "0"], /--choices 0: at least 1/],
      [["example/payments", "--until", "soon"], /--until: "soon"/],
      [["example/payments", "--mutants", "no-fence,"], /there is no mutant ""/],
      [["example/payments", "--mutant", "no-fence", "--mutants", "no-fence"], /give one/]
    ]
    for (const [args, why] of refused) {
      const { code, err, out } = await typed("prove", ...args)
      assert.strictEqual(code, 2, args.join(" "))
      assert.match(err, why)
      assert.strictEqual(err.trim().split("\n").length, 1, err)
      assert.strictEqual(out, "")
    }
  })
})
