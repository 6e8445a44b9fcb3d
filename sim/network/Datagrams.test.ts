import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { emit } from "../../core/facts/Facts.ts"
import { World } from "../run/World.ts"
import { Datagrams, layer } from "./Datagrams.ts"

const messages = 200

const sender = Effect.gen(function* () {
  const { send } = yield* Datagrams
  for (let nth = 0; nth < messages; nth++) {
    yield* send("b", nth)
    yield* Effect.sleep("10 millis")
  }
}).pipe(Effect.provide(layer))

const receiver = Effect.gen(function* () {
  const { receive } = yield* Datagrams
  for (;;) yield* emit({ _tag: "Got", message: (yield* receive).message })
}).pipe(Effect.provide(layer))

const run = (disturb: (world: World) => void, seed = "1") => {
  const world = new World({ seed })
  const got: Array<number> = []
  world.subscribe(({ fact }) => {
    if (fact._tag === "Got") got.push((fact as unknown as { readonly message: number }).message)
  })
  world.addNode("a", sender)
  world.addNode("b", receiver).start()
  disturb(world)
  world.node("a").start()
  world.run("1m")
  return { got, world }
}

const hazard = (world: World, kind: string, rate: number) =>
  world.hazards.add(kind, { entry: 0, covers: () => true, rate, struck: undefined, parameters: {} })

const all = Array.from({ length: messages }, (_, nth) => nth)

describe("datagrams", () => {
  it("all arrive, in order, where nothing disturbs them", () => {
    assert.deepStrictEqual(run(() => undefined).got, all)
  })

  it("network/loss loses some, and none of the others changes", () => {
    const { got, world } = run((disturbed) => hazard(disturbed, "network/loss", 0.2))
    const lost = world.kernel.facts.effects.get("network/loss") ?? 0
    assert.isAbove(lost, 10)
    assert.lengthOf(got, messages - lost)
    assert.deepStrictEqual(
      got,
      got.toSorted((left, right) => left - right)
    )
  })

  it("network/duplication delivers some twice, network/reordering changes their order", () => {
    const doubled = run((world) => hazard(world, "network/duplication", 0.2)).got
    assert.isAbove(doubled.length, messages)
    assert.deepStrictEqual([...new Set(doubled)], all)
    const mixed = run((world) => hazard(world, "network/reordering", 0.3)).got
    assert.notDeepEqual(mixed, all)
    assert.deepStrictEqual(
      mixed.toSorted((left, right) => left - right),
      all
    )
  })

  it("a partition loses what is sent while it lasts, a clog delivers it in one burst", () => {
    const cut = run((world) => {
      const heal = world.network.partition(["a"], ["b"])
      world.kernel.schedule(1_000_000, heal, undefined)
    })
    assert.approximately(cut.got.length, messages - 100, 3)
    const clogged = run((world) => {
      const release = world.network.addRule({ fault: "network/clog", onPacket: () => ({ _tag: "Hold" }) })
      world.kernel.schedule(1_000_000, release, undefined)
    })
    assert.lengthOf(clogged.got, messages)
  })

  it("same seed, same digest", () => {
    const digest = (seed: string) =>
      run((world) => hazard(world, "network/loss", 0.1), seed).world.kernel.facts.digest.value
    assert.strictEqual(digest("4"), digest("4"))
    assert.notStrictEqual(digest("4"), digest("5"))
  })
})
