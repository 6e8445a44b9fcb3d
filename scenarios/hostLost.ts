import * as Effect from "effect/Effect"
import * as Clients from "../core/client/Client.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const lostAtMillis = 30_000
const saidMillis = 20_000

export const hostLost = make({
  name: "agents/host-lost-for-good",
  story: `A host is gone for good, with its agent and all that ran there. While nobody knows whether it will come back, what was there keeps
its place; an operator who knows says so, and all of it runs elsewhere.`,
  parameters: { agents: [2, 3], clients: [0, 1], desiredMax: [3, 6] },
  safetyMillis: 80_000,
  cluster: { runsOnAgents: true },
  direct: (world, { addresses, hosts }) => {
    const gone = "agent-1"
    world.kernel.schedule(
      lostAtMillis * 1_000,
      () => {
        hosts.get(gone)?.vanish()
        world.retire(gone)
      },
      undefined
    )
    const operator = Effect.gen(function* () {
      yield* Effect.sleep(lostAtMillis + saidMillis)
      const clients = yield* Effect.forEach(addresses, Clients.make)
      for (let nth = 0; ; nth++) {
        const client = clients[nth % clients.length] as Clients.Client
        const said = yield* client.agents
          .forget({ params: { agent: gone }, query: {}, headers: { "idempotency-key": "host-is-gone" } })
          .pipe(
            Effect.timeoutOption("3 seconds"),
            Effect.catch(() => Effect.succeedNone)
          )
        if (said._tag === "Some") return
        yield* Effect.sleep("1 second")
      }
    })
    world
      .addNode("operator", Effect.provide(operator, SimHttpClient.layer), { tags: ["client"], mustEnd: true })
      .start()
  },
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [0, 3],
        withinMillis: 70_000,
        forMillis: [500, 10_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      throughout("network/answer-lost", [0.001, 0.05]),
      throughout("network/duplication", [0.001, 0.05])
    )
})
