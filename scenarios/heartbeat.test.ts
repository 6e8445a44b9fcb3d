/** Who is heard for an instance, against the database of the simulator. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Heartbeat from "../core/heartbeat/Heartbeat.ts"
import * as Instance from "../core/instance/Instance.ts"
import { Storage } from "../core/ports/Storage.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import { World } from "../sim/run/World.ts"
import { SimDatabase } from "../sim/storage/SimDatabase.ts"
import * as SimStorage from "../sim/storage/SimStorage.ts"

/** What `story` says, with one instance "box" in the store. */
const told = (
  story: (
    says: (agent: string, incarnation: number) => Effect.Effect<string, unknown>
  ) => Effect.Effect<unknown, unknown>
) => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const database = new SimDatabase(world, { tables: [Instance.instances] as never })
  world.addNode("database", database.program).start()
  const said: Array<string> = []
  const program = Effect.gen(function* () {
    const { once } = yield* Storage
    const spec = { image: "box", size: "small" } as const
    const wanted = { uid: "box", project: "p", name: "box", fleet: null, ordinal: null, spec }
    yield* once((tx) => Instance.create(tx, [wanted]), { label: "create" })
    yield* story((agent, incarnation) =>
      Effect.gen(function* () {
        const heard = yield* Heartbeat.record(once, { agent, incarnation, uids: ["box", "ghost"] })
        const elsewhere = heard.length > 0 ? [] : yield* Heartbeat.elsewhere(once, agent, ["box", "ghost"])
        const what = heard.length > 0 ? "heard" : elsewhere.length > 0 ? "another's" : "unknown"
        said.push(`${agent}/${incarnation} ${what}`)
        return what
      })
    )
  })
  world.addNode("n1", Effect.provide(program, SimStorage.layer())).start()
  world.run("5m")
  return said
}

describe("an instance and its agents", () => {
  it("one agent speaks for it, in ever newer incarnations", () =>
    assert.deepStrictEqual(
      told((says) => Effect.all([says("a1", 5), says("a1", 6), says("a1", 5), says("a1", 6)])),
      ["a1/5 heard", "a1/6 heard", "a1/5 unknown", "a1/6 heard"]
    ))

  it("moves to an agent of a lower incarnation once its own is silent for 15 s, and not before; and is nobody's to end meanwhile", () =>
    assert.deepStrictEqual(
      told((says) =>
        Effect.all([says("a1", 6), Effect.delay(says("a2", 1), "14 seconds"), Effect.delay(says("a2", 1), "1 second")])
      ),
      ["a1/6 heard", "a2/1 another's", "a2/1 heard"]
    ))

  it("stays with its own agent for as long as that one is heard", () =>
    assert.deepStrictEqual(
      told((says) =>
        Effect.all([
          says("a1", 6),
          Effect.delay(says("a1", 6), "10 seconds"),
          Effect.delay(says("a2", 9), "9 seconds"),
          says("a1", 6)
        ])
      ),
      ["a1/6 heard", "a1/6 heard", "a2/9 another's", "a1/6 heard"]
    ))
})
