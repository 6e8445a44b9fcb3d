/** What the kits for clusters and services make of what is to hold, and of what they cannot take. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { toCheck } from "../../core/invariants/Invariant.ts"
import * as ClusterScenario from "../cluster/ClusterScenario.ts"
import { inOwnTurn } from "../host/ownTurn.ts"
import { kindsOf } from "../nemesis/faultKinds.ts"
import type { Scenario } from "../run/Scenario.ts"
import { RequestProblem, runScenario } from "../run/Simulation.ts"
import * as ServiceScenario from "../services/ServiceScenario.ts"
import {
  answersAgree,
  effectsOnce,
  noOverlap,
  noStaleWrites,
  nothingAfterAnswer,
  writtenOutside
} from "./OutsideResource.ts"

const run = (scenario: Scenario) =>
  runScenario(scenario, { scenario: scenario.name, seed: "1", strategy: "random" }, { kinds: [] })

const calm = {
  name: "calm",
  story: "",
  program: () => Layer.empty,
  kinds: [],
  runners: [1, 1],
  safetyMillis: 5_000
} as const
const idle = { name: "idle", story: "", program: () => Layer.empty, ask: () => Effect.void, invariants: [] } as const

describe("a scenario of the kits", () => {
  it("that judges writes, whoever named what does, should meet one, and a program that never writes does not", () => {
    const all = [noStaleWrites, noOverlap({ longerThanMillis: 1 }), effectsOnce, toCheck(nothingAfterAnswer)]
    for (const invariant of all) {
      for (const scenario of [
        ClusterScenario.make({ ...calm, invariants: [invariant] }),
        ServiceScenario.make({ ...idle, invariants: [invariant] })
      ]) {
        assert.include(scenario.marks, writtenOutside)
      }
    }
    const { marks, verdict } = run(ClusterScenario.make({ ...calm, invariants: all }))
    assert.deepStrictEqual([verdict._tag, marks[writtenOutside.name]?.visits], ["passed", 0])
    assert.notInclude(ClusterScenario.make({ ...calm, invariants: [] }).marks, writtenOutside)
  })

  it("whose answers are to agree asks twice by each key, and finds whoever lies differently each time", () => {
    let lies = 0
    const lying = { ...calm, ask: () => Effect.sync(() => ++lies), asks: 3 }
    const { verdict } = run(ClusterScenario.make({ ...lying, invariants: [answersAgree] }))
    assert.deepInclude(verdict, { _tag: "violated", invariant: "answers-agree" })
    const asked = lies
    const honest = { ...calm, ask: (key: string) => Effect.succeed(key), asks: 3, invariants: [answersAgree] }
    const { marks } = run(ClusterScenario.make(honest))
    assert.strictEqual(asked, 2)
    assert.deepInclude(marks["was anything answered twice by one key"], { visits: 3 })
  })

  it("takes a program with promises where it is asynchronous", async () => {
    const promising = {
      ...calm,
      ask: (key: string) => Effect.tryPromise(() => Promise.resolve(key)),
      asks: 3,
      invariants: [],
      answeredWithinMillis: 10_000
    }
    assert.strictEqual(run(ClusterScenario.make(promising)).verdict._tag, "escaped")
    const scenario = ClusterScenario.make({ ...promising, isAsync: true })
    assert.deepStrictEqual((await inOwnTurn(() => run(scenario))).verdict, { _tag: "passed" })
  })

  it("refuses what it cannot take in one line: what, where and what to do", () => {
    const cluster = (options: object) => ClusterScenario.make({ ...calm, ...(options as Partial<typeof calm>) })
    const service = (options: object) => ServiceScenario.make({ ...idle, ...(options as Partial<typeof idle>) })
    const several = "give the least, 1 or more, and the most, as [2, 3]"
    const millis = "give milliseconds, more than 0"
    const aFunction = "give a function that returns the layer, as (outside) => layer"
    const kinds = 'give kinds of fault and not their names, as kindsOf("network/reset") of sim/nemesis/faultKinds'
    for (const [scenario, told] of [
      [cluster({ runners: 2 }), `ClusterScenario.make of "calm": runners is 2: ${several}`],
      [cluster({ runners: [0, 0] }), `ClusterScenario.make of "calm": runners is [0, 0]: ${several}`],
      [cluster({ kinds: ["network/reset"] }), `ClusterScenario.make of "calm": kinds is ["network/reset"]: ${kinds}`],
      [cluster({ program: undefined }), `ClusterScenario.make of "calm": program is missing: ${aFunction}`],
      [cluster({ program: Layer.empty }), `ClusterScenario.make of "calm": program is an object: ${aFunction}`],
      [cluster({ safetyMillis: -5 }), `ClusterScenario.make of "calm": safetyMillis is -5: ${millis}`],
      [cluster({ answeredWithinMillis: 0 }), `ClusterScenario.make of "calm": answeredWithinMillis is 0: ${millis}`],
      [cluster({ peers: "socket" }), 'ClusterScenario.make of "calm": peers is "socket": give "sockets" or "store"'],
      [service({ processes: [0, 0] }), `ServiceScenario.make of "idle": processes is [0, 0]: ${several}`],
      [
        service({ invariants: undefined }),
        'ServiceScenario.make of "idle": invariants is missing: give an array of what is to hold, [] for nothing'
      ]
    ] as const) {
      assert.throws(() => run(scenario), RequestProblem, told)
    }
    const withDefaults = { invariants: undefined, kinds: undefined, safetyMillis: undefined, runners: undefined }
    assert.strictEqual(
      run(cluster({ ...withDefaults, safetyMillis: 5_000, kinds: kindsOf("none") })).verdict._tag,
      "passed"
    )
  })
})
