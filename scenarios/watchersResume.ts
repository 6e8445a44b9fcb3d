/**
 * Watchers, and what makes it hard for them. They are drawn to be slow now and then; who forgets the changes that they have not seen is
 * a process of its own.
 */
import * as Effect from "effect/Effect"
import { watch, watchBySocket, type Watching } from "../core/client/watch.ts"
import { all } from "../core/invariants/all.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { behind, watchDelivery } from "../core/invariants/watchDelivery.ts"
import { Feed } from "../core/ports/Feed.ts"
import * as SimDial from "../sim/network/SimDial.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import { project } from "./Clients.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"
import { databaseName } from "./ControlPlaneCluster.ts"

const safetyMillis = 40_000
/** How often a watcher dawdles over a frame while there are faults. */
const dawdleRatio = 0.1

// covers A28
export const watchersResume = make({
  name: "watch/resumed-cut-and-compacted",
  story: `Watchers follow the fleets and the instances of a project, each by whichever node answers,
as events or over a WebSocket. Nodes are killed, stopped and cut from the
database and from the watchers, hints are lost, some watchers are too slow and are cut off, and changes are forgotten around the places where they
would go on. Each goes on with its last token elsewhere or is told to list again; all are told everything, in order, and once.`,
  parameters: { agents: [1, 1], clients: [1, 2], watchers: [2, 3] },
  safetyMillis,
  workload: { requestsPerSecond: 1, fleets: 2, desiredMin: 0 },
  cluster: { watch: { bufferMax: 4, windowBytes: 1_500 } },
  invariants: [...all, toCheck(watchDelivery)],
  direct: (world, { addresses }, parameters) => {
    for (const [index, name] of namesOf(parameters).entries()) {
      addWatcher(world, name, addresses, index % 2 === 1)
    }
    world
      .addNode("janitor", Effect.provide(forgetting(world), world.databases.feed({ database: databaseName })))
      .start()
  },
  converged: (cluster, world, parameters) => {
    const state = watchDelivery.initial()
    world.subscribe((envelope) => void watchDelivery.step(state, envelope))
    return () => {
      const settled = cluster.settled()
      return settled === true ? (behind(state, namesOf(parameters)) ?? true) : settled
    }
  },
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [1, 3],
        withinMillis: 32_000,
        forMillis: [500, 10_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      ...repeated(draw.child("stops"), {
        times: [0, 2],
        withinMillis: 32_000,
        forMillis: [500, 6_000],
        fault: { target: "random(control-plane)", fault: "process/stop" }
      }),
      ...repeated(draw.child("cuts"), {
        times: [1, 3],
        withinMillis: 32_000,
        forMillis: [500, 9_000],
        fault: { target: "random(watcher)", fault: "network/partition", with: "all(control-plane)" }
      }),
      ...repeated(draw.child("blind"), {
        times: [0, 2],
        withinMillis: 32_000,
        forMillis: [1_000, 20_000],
        fault: { target: "random(control-plane)", fault: "network/partition", with: "database" }
      }),
      ...repeated(draw.child("watchers"), {
        times: [0, 2],
        withinMillis: 32_000,
        forMillis: [500, 5_000],
        fault: { target: "random(watcher)", fault: "process/kill" }
      }),
      throughout("storage/lost-notification", [0.05, 0.9]),
      throughout("network/latency-tail", [0.002, 0.03])
    )
})

const namesOf = (parameters: Readonly<Record<string, number>>): ReadonlyArray<string> =>
  Array.from({ length: parameters["watchers"] ?? 2 }, (_, index) => `watcher-${index + 1}`)

function addWatcher(world: World, name: string, addresses: ReadonlyArray<string>, isBySocket: boolean): void {
  let frames = 0
  const first = world.draw.child(name).integer("first", 0, addresses.length - 1)
  const watching: Watching<never, never> = {
    addresses: [...addresses.slice(first), ...addresses.slice(0, first)],
    path: `/v1/projects/${project}/watch`,
    onFrame: () =>
      Effect.suspend(() => {
        const draw = world.draw.child(`${name}/${++frames}`)
        const dawdles = world.nowMicros < safetyMillis * 1_000 && draw.happens("dawdle", dawdleRatio)
        return dawdles ? Effect.sleep(1_000 + draw.fraction("for") * 9_000) : Effect.void
      })
  }
  const program = isBySocket
    ? Effect.provide(watchBySocket(watching), SimDial.layer())
    : Effect.provide(watch(watching), SimHttpClient.layer)
  world.addNode(name, program, { tags: ["watcher", "process"] }).start()
}

/** Forgets all that is older than a moment ago, or all there is, every now and then while there are faults. */
const forgetting = (world: World): Effect.Effect<void, never, Feed> =>
  Effect.gen(function* () {
    const feed = yield* Feed
    for (let nth = 1; world.nowMicros < safetyMillis * 1_000; nth++) {
      const draw = world.draw.child(`janitor/${nth}`)
      yield* Effect.sleep(500 + draw.fraction("pause") * 7_000)
      const olderThanMillis = draw.happens("all", 0.5) ? 0 : draw.integer("kept", 10, 4_000)
      yield* Effect.ignore(feed.compact({ olderThanMillis }))
    }
  })
