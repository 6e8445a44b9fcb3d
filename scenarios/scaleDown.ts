import * as Effect from "effect/Effect"
import * as Clients from "../core/client/Client.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { persist, putFleet } from "./Clients.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

// covers A9, A10
export const scaleDown = make({
  name: "fleet/scaled-10-to-3-to-2-under-leader-changes",
  story: `A fleet of ten is scaled to three and then to two, while owners and leaders are killed and paused so that two of them work
at the same time. Exactly seven are deleted, then exactly one: never fewer live ones than wanted, never one too many for good.`,
  parameters: { clients: [0, 1] },
  safetyMillis: 90_000,
  direct: (world, { addresses }) => {
    const scale = Effect.gen(function* () {
      const clients = yield* Effect.forEach(addresses, Clients.make)
      let nth = 0
      const pick = () => Effect.sync(() => ({ client: clients[nth++ % clients.length] as Clients.Client, nth }))
      yield* persist(putFleet("scale-10", "ten", 10), pick)
      yield* Effect.sleep("30 seconds")
      yield* persist(putFleet("scale-3", "ten", 3), pick)
      yield* Effect.sleep("25 seconds")
      yield* persist(putFleet("scale-2", "ten", 2), pick)
    })
    world.addNode("operator", Effect.provide(scale, SimHttpClient.layer), { tags: ["client"], mustEnd: true }).start()
  },
  faults: (draw) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [1, 4],
        withinMillis: 80_000,
        forMillis: [500, 12_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      ...repeated(draw.child("pauses"), {
        times: [1, 4],
        withinMillis: 80_000,
        forMillis: [4_000, 15_000],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      })
    )
})
