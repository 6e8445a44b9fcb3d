/**
 * What `guarded` costs a handler: calls of an entity on its own runner, one after the other, with it and without, in turns. Nothing else is
 * done by the handler, and no call is encoded or sent, so that nothing costs a smaller part than it does anywhere else.
 */
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as ShardFence from "../../../core/cluster/ShardFence.ts"
import * as ClusterKit from "../../../sim/cluster/ClusterKit.ts"
import * as FencedStore from "../../../sim/cluster/FencedStore.ts"
import { World } from "../../../sim/run/World.ts"
import type { Work } from "./figures.ts"

const callsOfTurn = 1_000
const turns = 10

const Written = Entity.make("Written", [Rpc.make("Guarded"), Rpc.make("Plain")])

type Method = "Guarded" | "Plain"

/** A runner whose calls are made as they are asked for. */
const make = () => {
  const world = new World({ seed: "1" })
  const asked: Array<Method> = []
  let answered = 0
  FencedStore.start(world)
  const handlers = Written.toLayer(
    Effect.gen(function* () {
      const { guarded } = yield* ShardFence.ofEntity
      return Written.of({ Guarded: () => guarded(Effect.void), Plain: () => Effect.void })
    })
  )
  const calling = Effect.gen(function* () {
    const call = (yield* Written.client)("a")
    while (true) {
      const method = asked.pop()
      if (method === undefined) yield* Effect.sleep("10 millis")
      else {
        yield* call[method]()
        answered++
      }
    }
  })
  const program = Layer.merge(handlers, Layer.effectDiscard(Effect.forkScoped(calling)))
  ClusterKit.runner(world, "r1", program, {
    config: { shardsPerGroup: 12 },
    stores: FencedStore.layer(world)
  }).start()
  world.run("30s")
  const turn = (method: Method): number => {
    const before = answered
    asked.push(...Array.from({ length: callsOfTurn }, () => method))
    const startMillis = performance.now()
    world.run("1s")
    const millis = performance.now() - startMillis
    if (answered - before !== callsOfTurn) throw new Error(`${answered - before} of ${callsOfTurn} calls were answered`)
    return millis
  }
  return turn
}

export const guardedCalls = (): (() => Work) => {
  const turn = make()
  for (const method of ["Guarded", "Plain", "Guarded", "Plain"] as const) turn(method)
  return () => {
    let [millis, baselineMillis] = [0, 0]
    for (let nth = 0; nth < turns; nth++) {
      const isGuardedFirst = nth % 2 === 0
      if (!isGuardedFirst) baselineMillis += turn("Plain")
      millis += turn("Guarded")
      if (isGuardedFirst) baselineMillis += turn("Plain")
    }
    return { count: turns * callsOfTurn, virtualSeconds: 0, millis, baselineMillis }
  }
}
