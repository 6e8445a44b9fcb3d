import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { emit } from "../../core/facts/Facts.ts"
import { drop } from "../network/Network.ts"
import { World } from "./World.ts"

const worldOf = (program: Effect.Effect<unknown>, options: { readonly mustEnd?: boolean } = {}) => {
  const world = new World({ seed: "1" })
  world.addNode("a", program, options).start()
  return world
}

const stuck = Effect.flatMap(Deferred.make<void>(), Deferred.await)

describe("a world that is steered by hand", () => {
  it.each([
    ["Date.now", (): unknown => Date.now()],
    ["Math.random", (): unknown => Math.random()],
    ["setTimeout", (): unknown => setTimeout(() => undefined, 0)]
  ])("tells a program that uses %s that it has left the simulation, also one that catches it", (api, use) => {
    const uses = Effect.ignore(Effect.try(use))
    assert.throws(() => worldOf(uses).run("1s"), new RegExp(`^${api.replace(".", "\\.")} is of the host`))
    const later = worldOf(Effect.delay(uses, 2_000))
    later.run("1s")
    assert.throws(() => later.runUntil(() => false, { within: "5s" }), /is of the host/)
  })

  it("leaves the host to itself between two steps", () => {
    const world = worldOf(Effect.never)
    const before = Date.now()
    world.run("1m")
    assert.isTrue(Date.now() >= before)
    assert.isTrue(Math.random() < 1)
  })

  it("throws when nothing can go on and somebody had to end, and not when nobody had to", () => {
    assert.throws(
      () => worldOf(stuck, { mustEnd: true }).run("1s"),
      /deadlock: nothing can happen any more, and a did not/
    )
    worldOf(stuck).run("1s")
    worldOf(Effect.sleep("1 minute"), { mustEnd: true }).run("1s")
  })

  it("goes on while what was done by hand can be undone", () => {
    const world = worldOf(Effect.delay(emit({ _tag: "Done" }), 2_000), { mustEnd: true })
    world.addNode("b", stuck).start()
    world.node("a").pause()
    world.run("10s")
    world.node("a").resume()
    world.runUntil(({ fact }) => fact._tag === "Done", { within: "3s" })

    const cut = worldOf(stuck, { mustEnd: true })
    const heal = cut.network.addRule({ fault: "cut", onPacket: () => drop })
    cut.run("1s")
    heal()
    assert.throws(() => cut.run("1s"), /deadlock/)
  })
})
