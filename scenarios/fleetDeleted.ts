/** Fleets that are deleted, and made anew under their old names, over and over. */
import * as Effect from "effect/Effect"
import * as Client from "../core/client/Client.ts"
import * as Mark from "../core/facts/Mark.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const safetyMillis = 40_000
const project = "shop"
const anew = Mark.sometimes("fleet made anew under the name of one that was deleted")
const refused = Mark.sometimes("change of a fleet refused while it is being deleted")

export const fleetDeleted = make({
  name: "fleet/deleted-and-made-anew",
  story: `Clients make a fleet, scale it, delete it and make it anew under its old name, while nodes are killed and paused and the provider fails. A
fleet leaves after the last of its instances, and no instance outlives it or is made for one that is not there.`,
  parameters: { nodes: [2, 3], agents: [1, 1], clients: [1, 1], fleets: [1, 2] },
  safetyMillis,
  workload: { requestsPerSecond: 0.2, fleets: 1, desiredMin: 0 },
  marks: [anew, refused],
  direct: (world, { addresses }, parameters) => {
    for (let index = 1; index <= (parameters["fleets"] ?? 1); index++) {
      const name = `owner-${index}`
      const program = Effect.provide(owning(world, name, addresses), SimHttpClient.layer)
      world.addNode(name, program, { tags: ["owner"], mustEnd: true }).start()
    }
  },
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [1, 3],
        withinMillis: 32_000,
        forMillis: [500, 8_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      ...repeated(draw.child("pauses"), {
        times: [0, 2],
        withinMillis: 32_000,
        forMillis: [1_000, 9_000],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      }),
      throughout("network/latency-tail", [0.002, 0.03]),
      throughout("controlled/provider-unknown-outcome", [0.01, 0.1])
    )
})

const owning = (world: World, name: string, addresses: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Client.make)
    const params = { project, name: `made-by-${name}` }
    const spec = { image: "made", size: "small" } as const
    let isGone = false
    for (let nth = 1; world.nowMicros < safetyMillis * 1_000; nth++) {
      const draw = world.draw.child(`${name}/${nth}`)
      yield* Effect.sleep(200 + draw.fraction("pause") * 2_500)
      const client = clients[draw.integer("node", 0, clients.length - 1)]!
      const headers = { "idempotency-key": `${name}-${nth}` }
      const asked = draw.happens("delete", 0.4)
        ? client.fleets.delete({ params, query: {}, headers })
        : client.fleets.put({ params, query: {}, headers, payload: { desired: draw.integer("desired", 0, 4), spec } })
      const answer = yield* asked.pipe(Effect.timeout(3_000), Effect.result)
      if (answer._tag === "Failure") {
        const { _tag } = answer.failure
        if (_tag === "NotFound") isGone = true
        yield* Mark.hit(refused, _tag === "Conflict")
        continue
      }
      yield* Mark.hit(anew, isGone && answer.success.deletionRequestedAt === null)
      isGone = false
    }
  })
