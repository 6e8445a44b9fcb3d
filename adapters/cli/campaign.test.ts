/** Campaigns as a user runs them: runs are processes of their own, in an empty directory. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { mergeCommand } from "./campaign/mergeCommand.ts"
import { versions } from "../../reports/saveFailure.ts"
import { commandLine, fixture, launcher } from "./CommandLine.fixture.ts"

const { at, stormglass } = commandLine()
const chargesTwice = fixture("chargesTwice")

const run = (...args: ReadonlyArray<string>) =>
  stormglass("run", chargesTwice, "--seeds", "24", "--no-shrink", "--json", ...args)

/** What the same command comes to that nothing interrupts or divides. */
let wholeOnce: ReturnType<typeof JSON.parse>
const whole = () => (wholeOnce ??= JSON.parse(run().out))

const linesOf = (store: string) => readFileSync(at(store), "utf8").split("\n").slice(0, -1)
const write = (store: string, lines: ReadonlyArray<string>) =>
  writeFileSync(at(store), lines.map((line) => `${line}\n`).join(""))

/** What `merge` says with --json, or as text. */
const merge = (
  stores: ReadonlyArray<string>,
  how: { readonly out?: string; readonly isJson?: boolean; readonly without?: ReadonlyArray<string> } = {}
) => {
  let text = ""
  const { isJson = true, out, without = [] } = how
  const options = { stores: stores.map(at), out: out === undefined ? undefined : at(out), isJson, without }
  const code = mergeCommand({ ...options, print: (line) => (text += `${line}\n`) })
  return { code, text, document: isJson ? JSON.parse(text) : undefined }
}

/** What does not tell how long it took, nor where. */
const told = ({ effects, failed, groups, passed, scenarios }: ReturnType<typeof JSON.parse>) => ({
  passed,
  failed,
  scenarios,
  effects,
  groups
})

describe("a campaign", { timeout: 120_000 }, () => {
  it("in two shards, with one worker and with three, is the whole when it is merged", () => {
    const shards = [
      JSON.parse(run("--shard", "1/2", "--store", "one.ndjson", "--jobs", "1").out),
      JSON.parse(run("--shard", "2/2", "--store", "two.ndjson", "--jobs", "3").out)
    ]
    assert.deepStrictEqual(
      shards.map(({ failed, passed }) => failed + passed),
      [12, 12]
    )
    const merged = merge(["two.ndjson", "one.ndjson", "two.ndjson"], { out: "all.ndjson" })
    assert.strictEqual(merged.code, 1)
    assert.deepStrictEqual(told(merged.document), told(whole()))
    assert.deepStrictEqual(told(merge(["all.ndjson"]).document), told(merged.document))
    assert.throws(
      () => merge(["one.ndjson"], { out: "all.ndjson" }),
      /--out \S+all.ndjson: cannot write it: file already exists/
    )

    const effects = linesOf("all.ndjson").map((line) => Object.keys(JSON.parse(line).effects ?? {}))
    const met = (...kinds: ReadonlyArray<string>) =>
      effects.filter((of) => of.some((kind) => kinds.includes(kind))).length
    const [latency, either] = [met("network/link-latency"), met("network/link-latency", "network/clog")]
    assert.isTrue(0 < latency && latency < either)
    const left = (...without: ReadonlyArray<string>) => {
      const { failed, passed } = merge(["all.ndjson"], { without }).document
      return failed + passed
    }
    assert.deepStrictEqual(
      [left(), left("network/link-latency"), left("network/clog", "network/link-latency")],
      [24, 24 - latency, 24 - either]
    )
    assert.deepStrictEqual(left("process/", "network/"), effects.slice(1).filter((of) => of.length === 0).length)
    assert.throws(() => left("process"), /--without process: no kind of fault is called so/)
    assert.throws(() => merge(["one.ndjson"], { out: "some.ndjson", without: ["process/"] }), /say it without --out/)

    // What another machine says of one of the runs.
    const [campaign, first, ...rest] = linesOf("one.ndjson") as [string, string, ...Array<string>]
    write("other.ndjson", [campaign, first.replace(/"digest":"\w/, '"digest":"x'), ...rest])
    const contradicted = merge(["one.ndjson", "other.ndjson"], { isJson: false })
    assert.match(contradicted.text, /DIGEST DIFFERS, this run is not deterministic: \S+, seed \d+: \w+ \(\w+\) and x/)
    assert.strictEqual(contradicted.code, 3)
    write("fifo.ndjson", [campaign.replace('"random"', '"fifo"')])
    assert.throws(
      () => merge(["one.ndjson", "fifo.ndjson"]),
      /fifo.ndjson is of another campaign than one.ndjson: its strategy is fifo/
    )
    assert.throws(() => merge(["nowhere.ndjson"]), /cannot read it: no such file/)
  })

  it("that was killed goes on with what it has, counts what was cut, and comes to what it would have come to", async () => {
    const args = ["run", chargesTwice, "--seeds", "400", "--no-shrink", "--store", "killed.ndjson"]
    const child = spawn(process.execPath, [launcher, ...args], { cwd: at(""), stdio: "ignore", detached: true })
    const isBegun = () => existsSync(at("killed.ndjson")) && linesOf("killed.ndjson").length > 10
    for (let wait = 0; !isBegun() && wait < 3_000; wait++) await new Promise((resolve) => setTimeout(resolve, 20))
    // The launcher and its child.
    process.kill(-(child.pid as number), "SIGKILL")
    await once(child, "exit")
    const lines = linesOf("killed.ndjson").slice(0, 11)
    write("killed.ndjson", [...lines.slice(0, 5), (lines[5] as string).slice(0, 40), ...lines.slice(6)])
    const garbled = readFileSync(at("killed.ndjson"), "utf8")
    writeFileSync(at("killed.ndjson"), garbled.slice(0, -20))

    const again = run("--store", "killed.ndjson")
    assert.match(again.err, /killed.ndjson: 2 lines are lost.*: line 6 \(cut or garbled\), line 11 \(cut off\)/)
    const document = JSON.parse(again.out)
    // Of more seeds than are asked for now, some may be in the store.
    assert.isAtMost(document.store.known, 8)
    assert.deepStrictEqual(told(document), told(whole()))
    assert.isTrue(readFileSync(at("killed.ndjson"), "utf8").startsWith(garbled.slice(0, -20)), "nothing was altered")
  })

  it("makes the failure of each kind small that is over soonest, once, and is reported without running anything", () => {
    const args = ["run", chargesTwice, "--seeds", "20", "--store", "store.ndjson"]
    const first = stormglass(...args)
    assert.match(first.out, /What it takes/)
    const again = stormglass(...args)
    assert.notMatch(again.out, /What it takes|✗/)
    assert.match(again.out, /\n20 of these runs were in the store\n/)
    const [, small = ""] = /small: .*\n {8}npx stormglass replay (\S+)\n/.exec(again.out) ?? []
    assert.match(first.out, new RegExp(`replay ${small}\n`))
    assert.isTrue(existsSync(at(small)))
    const { text } = merge(["store.ndjson"], { isJson: false })
    const groups = /Failures, by what they violated\n[^]*?\n\n/
    assert.strictEqual(groups.exec(text)?.[0], groups.exec(again.out)?.[0])
  })

  it.each([
    ["--shard", "0/2", /--shard "0\/2": write which part of how many, as 1\/2 and 2\/2/],
    ["--shard", "25/30", /--shard 25\/30: there are only 24 runs, and none is in this part/],
    ["--store", ".", /--store \.: cannot write it: illegal operation on a directory/],
    ["--store", "failure.json", /failure.json is no store of a campaign: its first line tells no campaign/],
    ["--store", "calm.ndjson", /--store calm.ndjson is of another campaign: its scenarios have also calm/]
  ])("is refused with %s %s, and nothing is altered", (flag, value, expected) => {
    writeFileSync(at("failure.json"), '{"version":1}\n')
    const campaign = {
      _tag: "Campaign",
      version: 1,
      versions: versions(),
      program: "0",
      scenarios: [chargesTwice, "calm"],
      strategy: "random",
      storage: "model",
      plan: null,
      mutant: null
    }
    write("calm.ndjson", [JSON.stringify(campaign)])
    const before = [...linesOf("failure.json"), ...linesOf("calm.ndjson")]
    const { code, err, out } = run(flag, value)
    assert.match(err, new RegExp(`^stormglass: ${expected.source}.*\n$`))
    assert.deepStrictEqual([code, out], [2, ""])
    assert.deepStrictEqual([...linesOf("failure.json"), ...linesOf("calm.ndjson")], before)
  })
})
