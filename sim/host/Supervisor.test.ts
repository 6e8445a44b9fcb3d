import { afterAll, assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import * as workflow from "../../scenarios/cluster/workflow.ts"
import type { RunRequest } from "../run/Verdict.ts"
import { Refused, Supervisor } from "./Supervisor.ts"

const catalogue = new URL("./Leaks.fixture.ts", import.meta.url)
const make = (options: { readonly jobs?: number; readonly runMillisMax?: number } = {}) =>
  new Supervisor({ catalogue, mutant: undefined, jobs: 1, runMillisMax: 60_000, ...options })
const supervisor = make()

afterAll(() => supervisor.close())

const request = (scenario: string): RunRequest => ({ scenario, seed: "1", strategy: "random" })

const verdictOf = async (scenario: string) => (await supervisor.run(request(scenario))).result.verdict

describe("a program that leaves the simulation", () => {
  it("by Date.now has escaped, and is told what to use instead", async () => {
    const verdict = await verdictOf("reads-date")
    assert.strictEqual(verdict._tag === "escaped" && verdict.api, "Date.now")
  })

  it("by awaiting fetch has escaped", async () => {
    const verdict = await verdictOf("awaits-fetch")
    assert.strictEqual(verdict._tag === "escaped" && verdict.api, "fetch")
  })

  it("by what its module has taken of the host as it was loaded has escaped, also from the second run on", async () => {
    const apis = ["child_process.execFileSync", "Date.now", "Math.random", "setTimeout", "new Date", "process.hrtime"]
    for (const _ of [1, 2]) {
      const told: Array<string> = []
      for (const of of ["execFileSync", "Date.now", "Math.random", "setTimeout", "Date", "hrtime"]) {
        const verdict = await verdictOf(`has-taken-${of}`)
        told.push(verdict._tag === "escaped" ? verdict.api : verdict._tag)
      }
      assert.deepStrictEqual(told, apis)
    }
  })

  it("by what it has left to a promise that it did not wait for has escaped, and has not done it", async () => {
    const verdict = await verdictOf("leaves-a-promise-behind")
    assert.strictEqual(verdict._tag === "escaped" && verdict.api, "fs.writeFileSync")
  })

  it("by the order of a by-reference HashMap does not: the order is the same in every thread", async () => {
    const other = make()
    try {
      await other.run(request("fine"))
      const [here, there] = await Promise.all([
        supervisor.run(request("iterates-by-reference"), "facts"),
        other.run(request("iterates-by-reference"), "facts")
      ])
      assert.deepStrictEqual(there.facts, here.facts)
      assert.strictEqual(there.result.digest, here.result.digest)
    } finally {
      await other.close()
    }
  })
})

describe("a program that does not come back", () => {
  it("for (;;) {} is ended by the supervisor, and the next run goes on", { timeout: 60_000 }, async () => {
    const impatient = make({ runMillisMax: 3_000 })
    try {
      const { plan, verdict } = (await impatient.run(request("loops-for-ever"))).result
      // Not known, and not an empty one: whoever runs it again draws it from the seed again.
      assert.isUndefined(plan)
      const reason = verdict._tag === "stalled" ? verdict.reason : ""
      assert.match(reason, /^a task of a did not return within 3 s of host time/)
      assert.strictEqual(verdict._tag === "stalled" && verdict.atMicros, 250_000)
      assert.deepStrictEqual((await impatient.run(request("fine"))).result.verdict, { _tag: "passed" })
    } finally {
      await impatient.close()
    }
  })

  it("has no verdict when the supervisor is closed meanwhile, which is nobody's failure", async () => {
    const closing = make()
    const running = closing.run(request("loops-for-ever")).catch((error: unknown) => error)
    await closing.close()
    assert.match(String(await running), /the supervisor was closed/)
  })

  it("fibers that wake each other without time passing are a livelock", async () => {
    const verdict = await verdictOf("spins")
    assert.match(verdict._tag === "stalled" ? verdict.reason : "", /livelock/)
  })

  it("one that throws has crashed, with its cause", async () => {
    const verdict = await verdictOf("throws")
    assert.match(verdict._tag === "crashed" ? verdict.cause : "", /broken on purpose/)
  })
})

describe("the supervisor", () => {
  const refusal = (scenario: string) =>
    supervisor.run(request(scenario)).then(
      () => assert.fail("it was not refused"),
      (error: unknown) => {
        assert.instanceOf(error, Refused)
        return (error as Refused).message
      }
    )

  it("refuses a scenario that does not exist, and a file without one", async () => {
    assert.strictEqual(await refusal("nothing"), 'there is no scenario "nothing"')
    assert.strictEqual(await refusal("./nothing.ts"), "there is no file ./nothing.ts")
    assert.include(await refusal("sim/host/Leaks.fixture.ts"), "exports no scenario")
    const file = "scenarios/cluster/workflow.ts"
    const names = Object.keys(workflow).toSorted()
    const several = `${file} exports several scenarios (${names.join(", ")}): name one, as in ${file}#${names[0]}, or export one as default`
    assert.strictEqual(await refusal(file), several)
    assert.include(await refusal(`${file}#never`), `${file} exports no scenario never: it has `)
  })

  it("runs the scenario that a file exports", async () => {
    assert.deepStrictEqual(await verdictOf("scenarios/calm.ts"), { _tag: "passed" })
  })

  it("gives a verdict to what the scenario itself throws, and to a promise that nobody awaits", async () => {
    const built = await verdictOf("throws-while-built")
    assert.match(
      built._tag === "crashed" ? `${built.node}: ${built.cause}` : "",
      /^the scenario: Error: no world today/
    )
    const promised = await verdictOf("rejects-unawaited")
    assert.match(
      promised._tag === "crashed" ? promised.cause : promised._tag,
      /nobody awaited it: Error: forgotten|escaped/
    )
    assert.deepStrictEqual(await verdictOf("fine"), { _tag: "passed" })
  })

  it("replaces a worker that dies between two runs, and says so", async () => {
    const warned = once(process, "warning")
    assert.deepStrictEqual(await verdictOf("throws-afterwards"), { _tag: "passed" })
    const [warning] = (await warned) as ReadonlyArray<Error>
    assert.match(warning?.message ?? "", /ended between two runs.*nothing runs any more/)
    assert.deepStrictEqual(await verdictOf("fine"), { _tag: "passed" })
  })

  it("gives the same results with one worker and with two", { timeout: 20_000 }, async () => {
    const two = make({ jobs: 2 })
    try {
      const seeds = ["1", "2", "3", "4"].map((seed) => ({ ...request("fine"), seed }))
      const digests = async (by: Supervisor) =>
        (await Promise.all(seeds.map((each) => by.run(each)))).map(({ result }) => result.digest)
      assert.deepStrictEqual(await digests(two), await digests(supervisor))
    } finally {
      await two.close()
    }
  })
})
