/** Instances that no agent can start, parked and asked for again. */
import * as Effect from "effect/Effect"
import type { DeadLetterView } from "../core/api/Views.ts"
import * as Client from "../core/client/Client.ts"
import * as Mark from "../core/facts/Mark.ts"
import { all } from "../core/invariants/all.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { parkedUntouched } from "../core/invariants/parkedUntouched.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"
import type { ControlPlaneCluster } from "./ControlPlaneCluster.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const safetyMillis = 60_000
const failuresMax = 3
const project = "bad"
const spec = { image: "poison:1", size: "small" } as const
const [redriven, rescaled, box] = ["redriven", "rescaled", "box"]

const parked = Mark.sometimes("all instances of a poisoned image parked")
const anew = Mark.sometimes("parked instances of a fleet tried again, as something else was wanted of it")

export const fleetPoisoned = make({
  name: "fleet/poisoned-and-redriven",
  story: `Two fleets and an instance have an image that fails wherever it is started, while nodes and agents are killed. Each instance is parked
after three failures and left alone from then on, while the others are served as ever. The image is mended; one fleet and the instance are asked for again, the
other fleet is wished larger, and all of it runs.`,
  parameters: { nodes: [2, 3], agents: [1, 2], clients: [1, 1] },
  safetyMillis,
  workload: { requestsPerSecond: 0.2, fleets: 1, desiredMin: 0 },
  cluster: { runsOnAgents: true, failuresMax },
  invariants: [...all, toCheck({ ...parkedUntouched(failuresMax), name: "parked-after-so-many" })],
  marks: [parked, anew],
  direct: (world, cluster) => {
    for (const host of cluster.hosts.values()) host.poison(spec.image)
    const program = Effect.provide(operating(world, cluster), SimHttpClient.layer)
    world.addNode("operator", program, { tags: ["operator"], mustEnd: true }).start()
  },
  faults: (draw) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [0, 3],
        withinMillis: 50_000,
        forMillis: [500, 8_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      ...repeated(draw.child("agents"), {
        times: [0, 2],
        withinMillis: 50_000,
        forMillis: [500, 8_000],
        fault: { target: "random(agent)", fault: "process/kill" }
      })
    )
})

const operating = (world: World, { addresses, hosts }: ControlPlaneCluster) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Client.make)
    let asked = 0
    /** Whichever node answers, with the same key. */
    const ask = <A, E>(send: (client: Client.Client) => Effect.Effect<A, E>) =>
      Effect.suspend(() => send(clients[asked++ % clients.length]!)).pipe(
        Effect.timeout(3_000),
        Effect.tapError(() => Effect.sleep(500)),
        Effect.eventually
      )
    let nth = 0
    const wish = () => ({ query: {}, headers: { "idempotency-key": `operator-${++nth}` } })
    const put = (name: string, desired: number) => {
      const wished = { ...wish(), params: { project, name }, payload: { desired, spec } }
      return ask((client) => client.fleets.put(wished))
    }
    const deadLetters = (of = project) =>
      Effect.map(
        ask((client) => client["dead-letters"].list({ params: { project: of }, query: {} })),
        ({ items }) => items
      )
    yield* put(redriven, 2)
    yield* put(rescaled, 1)
    const boxed = { ...wish(), params: { project }, payload: { name: box, spec } }
    yield* ask((client) => client.instances.create(boxed))
    while ((yield* deadLetters()).length < 4) yield* Effect.sleep(1_000)
    yield* Mark.hit(parked)
    yield* Effect.sleep(world.draw.fraction("rest") * 10_000)
    for (const host of hosts.values()) host.cure(spec.image)
    yield* put(rescaled, 2)
    yield* Mark.hit(anew)
    // What is killed as often as it may fail is parked too, and wants somebody to look.
    for (let isQuiet = false; !isQuiet;) {
      const isOver = world.nowMicros > safetyMillis * 1_000
      const letters = [...(yield* deadLetters()), ...(isOver ? yield* deadLetters("shop") : [])]
      const wanted = letters.filter((letter) => isOver || letter.fleet !== `${project}/${rescaled}`)
      yield* Effect.forEach(wanted, (letter) => ask(redrive(letter, wish())), { discard: true })
      isQuiet = letters.length === 0 && world.nowMicros > (safetyMillis + 15_000) * 1_000
      yield* Effect.sleep(1_000)
    }
  })

const redrive =
  (
    { fleet, id, kind, project: of }: DeadLetterView,
    wish: { readonly query: {}; readonly headers: { readonly "idempotency-key": string } }
  ) =>
  (client: Client.Client): Effect.Effect<unknown, unknown> =>
    kind === "instance" && fleet === null
      ? client.instances.redrive({ ...wish, params: { uid: id } })
      : client.fleets.redrive({ ...wish, params: { project: of, name: (fleet ?? id).split("/")[1]! } })
