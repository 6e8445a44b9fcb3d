import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Provider } from "../../core/ports/Provider.ts"
import { CurrentNode } from "../kernel/SimNode.ts"
import { World } from "../run/World.ts"
import { SimProvider } from "./SimProvider.ts"

describe("SimProvider", () => {
  it("answers nobody when the asker has died, even if its node is up again (restart after 1 ms, answer after 4 to 40 ms)", () => {
    const world = new World({ seed: "1" })
    const provider = new SimProvider(world)
    const answered: Array<number> = []
    const ask = Effect.gen(function* () {
      const { incarnation } = yield* CurrentNode
      const { start } = yield* Provider
      yield* start(`uid-${incarnation}`, { image: "web:1", size: "small" })
      answered.push(incarnation)
      return yield* Effect.never
    })
    const node = world.addNode("n1", Effect.provide(ask, provider.layer))
    node.start()
    world.run("1ms")
    node.crash("killed")
    world.run("1ms")
    node.start()
    world.run("100ms")
    assert.deepStrictEqual(answered, [2])
    assert.strictEqual(provider.size, 2, "the first request took effect all the same")
  })

  it("forgets a stop under its hazard: said to be gone it goes on and is listed, until it is asked again", () => {
    const world = new World({ seed: "1" })
    const provider = new SimProvider(world)
    const seen: Array<unknown> = []
    const ask = Effect.gen(function* () {
      const { list, observe, start, stop } = yield* Provider
      yield* start("a", { image: "web:1", size: "small" })
      yield* Effect.sleep("5 seconds")
      const look = Effect.gen(function* () {
        yield* Effect.sleep("5 seconds")
        seen.push([(yield* observe("a")).observation, yield* list])
      })
      const heal = world.hazards.add("controlled/forgotten-stop", {
        entry: 0,
        covers: () => true,
        rate: 1,
        struck: undefined,
        parameters: {}
      })
      yield* stop("a")
      yield* look
      yield* start("a", { image: "web:1", size: "small" })
      yield* look
      yield* stop("a")
      yield* look
      heal()
      yield* stop("a")
      yield* look
    })
    const facts: Array<string> = []
    world.kernel.facts.subscribeDetailed(({ fact }) => facts.push(fact._tag))
    world.addNode("n1", Effect.provide(ask, provider.layer)).start()
    world.run("1m")
    assert.deepStrictEqual(seen, [
      ["Absent", ["a"]],
      ["Running", ["a"]],
      ["Absent", ["a"]],
      ["Absent", []]
    ])
    assert.deepStrictEqual(
      facts.filter((tag) => tag === "ProviderStarted" || tag === "ProviderStopped" || tag === "FaultEffect"),
      ["ProviderStarted", "FaultEffect", "FaultEffect", "ProviderStopped"]
    )
  })
})
