/** Clients who want more than their project may, all at once, by different nodes. */
import * as Effect from "effect/Effect"
import * as Client from "../core/client/Client.ts"
import * as Mark from "../core/facts/Mark.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const safetyMillis = 25_000
const project = "small"
const refused = Mark.sometimes("more than the quota of a project allows was asked for, and refused")
const raised = Mark.sometimes("quota of a project changed while clients add to what it wants")

export const quotaRaced = make({
  name: "api/quota-raced-by-clients",
  story: `A project may have two fleets and five instances, sometimes a few more or less. Clients scale its fleets and create instances in it, at once and
by different nodes, while nodes are killed. Nothing that is added leaves it wanting more than it may.`,
  parameters: { nodes: [2, 3], agents: [1, 1], clients: [1, 1], racers: [2, 4] },
  safetyMillis,
  workload: { requestsPerSecond: 0.2, fleets: 1, desiredMin: 0 },
  marks: [refused, raised],
  direct: (world, { addresses }, parameters) => {
    for (let index = 1; index <= (parameters["racers"] ?? 2); index++) {
      const name = `racer-${index}`
      const program = Effect.provide(racing(world, name, addresses), SimHttpClient.layer)
      world.addNode(name, program, { tags: ["racer"], mustEnd: true }).start()
    }
  },
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [0, 2],
        withinMillis: 20_000,
        forMillis: [500, 6_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      throughout("network/latency-tail", [0.002, 0.05])
    )
})

const racing = (world: World, name: string, addresses: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Client.make)
    const spec = { image: "raced", size: "small" } as const
    for (let nth = 1; world.nowMicros < safetyMillis * 1_000; nth++) {
      const draw = world.draw.child(`${name}/${nth}`)
      yield* Effect.sleep(50 + draw.fraction("pause") * 700)
      const client = clients[draw.integer("node", 0, clients.length - 1)]!
      const sent = { query: {}, headers: { "idempotency-key": `${name}-${nth}` } }
      const what = draw.fraction("what")
      const isQuota = nth === 1 || what < 0.1
      const fleet = `raced-${draw.integer("fleet", 1, 3)}`
      const asked: Effect.Effect<unknown, { readonly _tag: string }> = isQuota
        ? client.quotas.put({
            ...sent,
            params: { project },
            payload: { fleetsMax: 2, instancesMax: draw.integer("allowed", 3, 7) }
          })
        : what < 0.5
          ? client.fleets.put({
              ...sent,
              params: { project, name: fleet },
              payload: { desired: draw.integer("desired", 0, 4), spec }
            })
          : what < 0.65
            ? client.fleets.delete({ ...sent, params: { project, name: fleet } })
            : client.instances.create({ ...sent, params: { project }, payload: { name: `${name}-${nth}`, spec } })
      const answer = yield* asked.pipe(Effect.timeout(3_000), Effect.result)
      yield* Mark.hit(raised, isQuota && nth > 1 && answer._tag === "Success")
      yield* Mark.hit(refused, answer._tag === "Failure" && answer.failure._tag === "QuotaExceeded")
    }
  })
