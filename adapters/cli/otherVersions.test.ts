/** A saved failure that another version wrote, or that an older program showed: replayed where it can be, refused by the part that is unknown. */
import { readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { noFence } from "../../scenarios/mutants/noFence.ts"
import { commandLine, failureDocument, fixture } from "./CommandLine.fixture.ts"
import { openFailure } from "./Session.ts"

const { at, fileOf, typed } = commandLine()

const document = (changes: object): object =>
  failureDocument({ versions: { stormglass: "0.3.0", effect: "4.2.0", node: "24", v8: "13" }, ...changes })

const refusal = (changes: object): string => {
  const file = fileOf(JSON.stringify(document(changes)), "saved.json")
  try {
    openFailure(file, undefined)
  } catch (error) {
    return (error as Error).message.replace(file, "saved.json")
  }
  return "opened"
}

const kill = { when: { at: "1s" }, target: "n1", fault: "process/kill" }
const mutant = (name: string, find: string) => ({
  mutant: { name, edits: [{ file: "core/lease/LeaseKeeper.ts", find, replace: "" }] }
})
const inItsSources = "replay it in the sources that it was found in (stormglass 0.3.0)"

describe("a saved failure of which a part is unknown", () => {
  it.each<readonly [what: string, changes: object, says: string | RegExp]>([
    [
      "a strategy that there is not",
      { strategy: "by-hand" },
      /^saved\.json is no failure file: strategy: Expected [^\n]*"fifo"[^\n]*; stormglass 0\.3\.0, which wrote it, replays it$/
    ],
    [
      "a moment of another kind, in a file of another format",
      { version: 2, plan: { version: 1, faults: [{ ...kill, when: { after: "n2" } }] } },
      /^saved\.json is no failure file: it is of version 2, and this is version 1: plan\.faults\.0\.when: Expected one of at, on, from or struck; stormglass 0\.3\.0, which wrote it, replays it$/
    ],
    ["a format that has no number", { version: "two" }, /it is of version "two", and this is version 1/],
    [
      "a scenario that is no more",
      { scenario: "lease/leader-kiled" },
      `saved.json: scenario: there is no scenario "lease/leader-kiled"; did you mean "lease/leader-killed"?; ${inItsSources}, or write the name that it has now`
    ],
    [
      "a file of a scenario that is no more",
      { scenario: "./gone.ts" },
      `saved.json: scenario: there is no file ./gone.ts to take a scenario from; ${inItsSources}, or write the name that it has now`
    ],
    [
      "a mutant of one's own that fits no more",
      mutant("mine", "no such line"),
      `saved.json: mutant mine: core/lease/LeaseKeeper.ts: the text to find occurs 0 times, it must occur once; ${inItsSources}, or give --mutant`
    ]
  ])("is refused by its name: %s", (_what, changes, says) => {
    const told = refusal(changes)
    if (typeof says === "string") assert.strictEqual(told, says)
    else assert.match(told, says)
    assert.notInclude(told, "\n")
  })

  it("is opened all the same where nothing needs it, and says what is left out", async () => {
    const plan = { version: 1, faults: [{ ...kill, jitter: "2ms" }], pace: { slow: 1 } }
    const file = fileOf(JSON.stringify(document({ version: 3, plan, locale: "en" })))
    const { differences, saved } = openFailure(file, undefined)
    assert.deepStrictEqual(differences, [
      "it is of version 3, and this is version 1, which reads what it knows of it",
      "plan.faults[0].jitter is unknown to this version, and left out",
      "plan.pace is unknown to this version, and left out",
      "locale is unknown to this version, and left out"
    ])
    assert.deepStrictEqual(saved.plan?.faults, [kill])
  })

  it("has its mutant planted as it is now, where its saved edits fit no more", async () => {
    const { differences, edits } = openFailure(
      fileOf(JSON.stringify(document(mutant(noFence.name, "fences: [lease.oldFence]")))),
      undefined
    )
    assert.strictEqual(edits, noFence)
    assert.deepStrictEqual(differences, [
      "mutant no-fence: core/lease/LeaseKeeper.ts: the text to find occurs 0 times, it must occur once: mutant no-fence is planted as it is now"
    ])
  })
})

describe("a replay of what another version saved", { timeout: 120_000 }, () => {
  it.each([
    [
      "replay",
      "a fault of a kind that there is not",
      { name: "cut", when: { at: "1s" }, target: "n1", fault: "network/partitoin" },
      /^stormglass: \S+saved\.json: it does not fit: fault 1 \("cut"\): there is no fault kind "network\/partitoin".*mend that part or take it out of the file, or replay it in the sources that it was found in \(stormglass 0\.3\.0\)\n$/
    ],
    [
      "replay",
      "a parameter of a fault that it does not take",
      { ...kill, fault: "clock/jump", parameters: { minutes: 3 } },
      /fault 1: clock\/jump has no parameter "minutes".*mend that part/
    ],
    ["shrink", "a node that is no more", { ...kill, target: "n9" }, /fault 1: .*n9.*mend that part/]
  ])("is refused in one line: %s for %s", async (command, _what, fault, says) => {
    const file = fileOf(JSON.stringify(document({ plan: { version: 1, faults: [fault] } })), "saved.json")
    const { code, err, out } = await typed(command, file)
    assert.deepStrictEqual([code, out], [2, ""])
    assert.match(err, says)
  })

  it.each([
    ["replay", 1_000_000_000],
    ["shrink", -1]
  ])("is refused in one line: %s of a world that its scenario never had, of %i nodes", async (command, nodes) => {
    const saved = document({ scenario: "lease/leader-killed", parameters: { nodes } })
    const { code, err, out } = await typed(command, fileOf(JSON.stringify(saved), "saved.json"))
    assert.deepStrictEqual([code, out], [2, ""])
    assert.include(
      err,
      `saved.json: it does not fit: parameter nodes is ${nodes}: the scenario draws it from 3 to 5, and takes 0 to 50; mend that part or`
    )
    assert.match(err, /^[^\n]*\n$/)
  })

  it("is the same run without what decides nothing any more, and says so", async () => {
    const found = JSON.parse(
      (await typed("run", fixture("chargesTwice"), "--seeds", "20", "--no-shrink", "--json")).out
    )
    const saved = JSON.parse(readFileSync(at(found.failures[0].file), "utf8"))
    writeFileSync(at("other.json"), JSON.stringify({ ...saved, version: 2, colour: "red" }))
    const { code, out } = await typed("replay", "other.json")
    assert.match(
      out,
      /charged twice[^]*digest \w+, equal\ndiffers: it is of version 2, [^\n]+\ndiffers: colour is unknown to this version, and left out\n$/
    )
    assert.strictEqual(code, 1)
  })

  it("takes parameters as they were saved, draws a new one, and says what its scenario has no more", async () => {
    const plan = { version: 1, faults: [] }
    const parameters = { nodes: 2, shards: 4 }
    const operations = ["client-1/probe", "client-9-3"]
    const file = fileOf(JSON.stringify(document({ scenario: "lease/leader-killed", parameters, operations, plan })))
    const { code, out } = await typed("replay", file)
    assert.strictEqual(code, 3)
    assert.match(out, /passed: lease\/leader-killed/)
    const [, digest, ...lines] = out.slice(out.indexOf("passed:")).trimEnd().split("\n")
    assert.match(digest ?? "", /DIGEST DIFFERS, it was 0$/)
    assert.match(lines.pop() ?? "", /^the file was written by other versions: stormglass was 0\.3\.0/)
    assert.deepStrictEqual(
      lines.map((line) => line.replace(/: \d was drawn/, ": it was drawn")),
      [
        "differs: parameter nodes is 2, as saved: the scenario draws it from 3 to 5 now",
        "differs: parameter shards is no more: its 4 decides nothing",
        "differs: parameter kills is new: it was drawn for it",
        "differs: 1 of its 2 operations were not asked for: client-9-3"
      ]
    )
  })
})
