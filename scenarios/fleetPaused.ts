/** Fleets that are paused, wished otherwise meanwhile, and resumed, over and over. */
import * as Effect from "effect/Effect"
import * as Client from "../core/client/Client.ts"
import * as Mark from "../core/facts/Mark.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import { persist, putFleet } from "./Clients.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const safetyMillis = 50_000
const paused = Mark.sometimes("fleet paused by its owner")

export const fleetPaused = make({
  name: "fleet/paused-and-resumed",
  story: `Somebody makes a fleet, pauses it, wishes it larger and smaller and resumes it, over and over, while nodes are killed and
paused and the provider fails. What is paused is left alone from that commit on, and in the end all is as it is wanted.`,
  parameters: { nodes: [2, 3], agents: [1, 2], clients: [1, 1] },
  safetyMillis,
  workload: { requestsPerSecond: 0.2, fleets: 1, desiredMin: 0 },
  marks: [paused],
  direct: (world, { addresses }) => {
    const program = Effect.provide(pausing(world, addresses), SimHttpClient.layer)
    world.addNode("owner", program, { tags: ["owner"], mustEnd: true }).start()
  },
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [1, 3],
        withinMillis: 40_000,
        forMillis: [500, 8_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      ...repeated(draw.child("pauses"), {
        times: [1, 3],
        withinMillis: 40_000,
        forMillis: [1_000, 9_000],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      }),
      throughout("network/latency-tail", [0.002, 0.03]),
      throughout("controlled/provider-unknown-outcome", [0.01, 0.1])
    )
})

/** Each wish is another count, and most of them pause the fleet or resume it; the last one resumes it, for certain. */
const pausing = (world: World, addresses: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Client.make)
    let asked = 0
    const pick = () => Effect.sync(() => ({ client: clients[asked++ % clients.length]!, nth: asked }))
    let nth = 0
    while (world.nowMicros < safetyMillis * 1_000) {
      const draw = world.draw.child(`owner/${++nth}`)
      const isPaused = draw.happens("paused", 0.6)
      const isDone = yield* persist(putFleet(`wish-${nth}`, "held", draw.integer("desired", 0, 5), isPaused), pick)
      yield* Mark.hit(paused, isDone && isPaused)
      yield* Effect.sleep(500 + draw.fraction("pause") * 6_000)
    }
    while (!(yield* persist(putFleet(`last-${++nth}`, "held", 2, false), pick))) yield* Effect.sleep(500)
  })
