/** The laws of a control plane, tried by somebody who reaches simulated nodes. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { judge } from "../core/conformance/laws.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import type * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import { type Databases, model } from "../sim/storage/Databases.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

type Way = typeof SimHttpClient.layer

interface Found {
  readonly kept: ReadonlyArray<string>
  readonly broken: Readonly<Record<string, string>>
}

/** What each finds who asks all nodes, by his way to them. */
export const judged = (
  ways: Readonly<Record<string, Way>>,
  { databases = model, nodes }: { readonly databases?: Databases; readonly nodes: number }
): ReadonlyMap<string, Found> => {
  const world = new World({ seed: "1", strategy: Schedule.random, databases })
  const { addresses } = Cluster.build(world, { nodes, agents: 2, runsOnAgents: true })
  const found = new Map<string, Found>()
  for (const [prefix, way] of Object.entries(ways)) {
    const program = Effect.gen(function* () {
      yield* Effect.sleep("10 seconds")
      const target = { addresses, project: "shop", prefix, image: "web:1", patienceMillis: 60_000 }
      const all = yield* judge(target, () => undefined)
      const kept = all.filter(({ broken }) => broken === null).map(({ law }) => law)
      const broken = Object.fromEntries(all.flatMap(({ broken, law }) => (broken === null ? [] : [[law, broken]])))
      found.set(prefix, { kept, broken })
    })
    world.addNode(prefix, Effect.provide(program, way), { mustEnd: true }).start()
  }
  for (let round = 0; round < 60 && world.unended.length > 0; round++) world.run("5s")
  assert.deepStrictEqual([world.unended, world.ending], [[], undefined])
  return found
}

export const all = ["scale", "key", "version", "dry", "wrong", "pages", "watch", "delete", "alone", "pause"]
