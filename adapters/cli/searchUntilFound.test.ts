import { assert, describe, it } from "@effect/vitest"
import { Refused, type Supervisor } from "../../sim/host/Supervisor.ts"
import { type Search, seeds } from "../../sim/search/Search.ts"
import { told } from "../../sim/search/Story.fixture.ts"
import { searchUntilFound } from "./searchUntilFound.ts"

const failing = { _tag: "crashed", node: "n1", cause: "it fails", atMicros: 0 } as const

/** Later requests come back first; these seeds fail, and these do not fit. */
const supervisorOf = (failures: ReadonlyArray<string>, misfits: ReadonlyArray<string> = []) => {
  let turn = Promise.resolve()
  return {
    run: (request: Parameters<Supervisor["run"]>[0]) => {
      const mine = turn
      turn = mine.then(() => undefined)
      if (misfits.includes(request.seed)) return Promise.reject(new Refused("no such node"))
      const outcome = told(request, failures.includes(request.seed) ? { verdict: failing } : {})
      return mine.then(() => ({ ...outcome, hostMillis: 1 }))
    }
  } as unknown as Supervisor
}

const searching = (supervisor: Supervisor, runsMax: number, search: Search = seeds({ scenarios: ["a"] }, "random")) =>
  searchUntilFound({ supervisor, search, jobs: 2, runsMax, budgetMillis: undefined, isStopped: () => false })

describe("a search until something is found", () => {
  it("finds the failure that was asked for first, and counts the runs up to it", async () => {
    const { failure, runs } = await searching(supervisorOf(["14", "12"]), 100)
    assert.strictEqual(failure?.request.seed, "12")
    assert.strictEqual(runs, 12)
  })

  it("ends after as many runs as it may make", async () => {
    const { failure, runs } = await searching(supervisorOf(["12"]), 11)
    assert.isUndefined(failure)
    assert.strictEqual(runs, 11)
  })

  it("goes on where a plan did not fit, and does not hide any other error", async () => {
    assert.strictEqual((await searching(supervisorOf(["3"], ["1", "2"]), 100)).runs, 3)
    const broken = { run: () => Promise.reject(new Error("the disk is full")) } as unknown as Supervisor
    const error = await searching(broken, 100).catch((error: unknown) => error)
    assert.match(String(error), /the disk is full/)
  })

  it("does not begin when it is told to stop", async () => {
    const supervisor = supervisorOf(["1"])
    const search = seeds({ scenarios: ["a"] }, "random")
    const found = await searchUntilFound({
      supervisor,
      search,
      jobs: 2,
      runsMax: 9,
      budgetMillis: undefined,
      isStopped: () => true
    })
    assert.strictEqual(found.runs, 0)
  })
})
