import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import { kindsOf } from "../../sim/nemesis/faultKinds.ts"
import * as Swarm from "../../sim/nemesis/Swarm.ts"
import * as SimHttpClient from "../../sim/network/SimHttpClient.ts"
import * as SimHttpServer from "../../sim/network/SimHttpServer.ts"
import * as Scenario from "../../sim/run/Scenario.ts"
import type { World } from "../../sim/run/World.ts"
import * as PaymentService from "./PaymentService.ts"

const chargedOnce: Invariant<Set<string>> = {
  name: "charged-once",
  states: "no order is charged twice",
  initial: () => new Set(),
  step: (seen, { fact }) => {
    if (fact._tag !== "Charged") return seen
    const { order } = fact as unknown as { readonly order: string }
    return seen.has(order) ? new Violation(`order ${order} was charged twice`, { order }) : seen.add(order)
  }
}

export const build = (world: World, options: { readonly remembers: boolean }) => {
  const serving = PaymentService.server(options).pipe(Layer.provide(SimHttpServer.layer({ port: 8080 })))
  world.addNode("server", Layer.launch(serving)).start()
  world.addNode("client", Effect.provide(PaymentService.client, SimHttpClient.layer), { mustEnd: true }).start()
  return { converged: () => world.unended.length === 0 || "orders are open" }
}

export const payments = Scenario.make({
  name: "example/payments",
  story: "A client charges ten orders over a network that fails, and repeats what is not answered. Nobody pays twice.",
  safetyMillis: 30_000,
  build: (world) => build(world, { remembers: true }),
  faults: (draw, world) => Swarm.draw(draw, world, { kinds: kindsOf("network"), safetyMicros: 30_000_000 }),
  invariants: [chargedOnce],
  liveness: { withinMillis: 90_000, quietMillis: 0, noise: () => false }
})
