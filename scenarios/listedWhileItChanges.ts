/** Readers of lists, page by page, by whichever node, while clients and nodes change what is listed. */
import * as Effect from "effect/Effect"
import * as Client from "../core/client/Client.ts"
import { emit } from "../core/facts/Facts.ts"
import { all } from "../core/invariants/all.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import { project } from "./Clients.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"
import { type ListBegun, listsOfOneMoment, type ListPageRead } from "./listsOfOneMoment.ts"

const safetyMillis = 25_000

export const listedWhileItChanges = make({
  name: "api/listed-while-it-changes",
  story: `Readers list the instances of a project two at a time, each page by another node and some time after the one before, while clients
create, scale and delete and nodes are killed. Together the pages of a list show what there was at one moment.`,
  parameters: { nodes: [2, 3], agents: [1, 1], clients: [1, 2], desiredMax: [3, 6] },
  safetyMillis,
  workload: { requestsPerSecond: 1.5, fleets: 1, desiredMin: 0 },
  invariants: [...all, toCheck(listsOfOneMoment)],
  direct: (world, { addresses }) => {
    for (const name of ["reader-1", "reader-2"]) {
      const program = Effect.provide(reading(world, name, addresses), SimHttpClient.layer)
      world.addNode(name, program, { tags: ["reader"], mustEnd: true }).start()
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
      throughout("network/latency-tail", [0.002, 0.03])
    )
})

const reading = (world: World, name: string, addresses: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Client.make)
    for (let nth = 1; world.nowMicros < safetyMillis * 1_000; nth++) {
      const draw = world.draw.child(`${name}/${nth}`)
      yield* Effect.sleep(100 + draw.fraction("pause") * 900)
      yield* emit<ListBegun>({ _tag: "ListBegun", project })
      let after: string | null = ""
      for (let page = 1; after !== null; page++) {
        const client = clients[draw.integer(`node/${page}`, 0, clients.length - 1)]!
        const query: { readonly limit: number; readonly after?: string } = {
          limit: 2,
          ...(after === "" ? {} : { after })
        }
        const answer = yield* client.instances
          .list({ params: { project }, query })
          .pipe(Effect.timeout(3_000), Effect.result)
        if (answer._tag === "Failure") break
        const { items, next } = answer.success
        after = next
        yield* emit<ListPageRead>({
          _tag: "ListPageRead",
          items: items.map(({ revision, uid }) => [uid, revision] as const),
          isLast: next === null
        })
        if (next !== null) yield* Effect.sleep(draw.fraction(`dawdle/${page}`) * 300)
      }
    }
  })
