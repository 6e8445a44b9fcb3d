/**
 * The world that the mesh runs in, whatever carries its messages.
 */
import type * as Effect from "effect/Effect"
import { Digest } from "../kernel/Digest.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { World } from "../run/World.ts"
import {
  cutEveryMillis,
  cutMillis,
  latencyMillisMax,
  latencyMillisMin,
  mulberry32,
  nextCut,
  type Workload
} from "./Workload.ts"

/** Costs nothing: what the digest costs is measured against it. */
class NoDigest extends Digest {
  override mix(): void {
    return
  }
  override mixFact(): void {
    return
  }
  override hashText(): number {
    return 0
  }
  override mixText(): void {
    return
  }
  override mixBytes(): void {
    return
  }
  override mixValue(): void {
    return
  }
}

export interface MeshWorld {
  delivered: number
}

/** Builds a world of the hosts' programs, runs it and returns how many messages were delivered. */
export const runMesh = (
  { hosts, isStorm, seconds }: Workload,
  { hasDigest }: { readonly hasDigest: boolean },
  programOf: (mesh: MeshWorld, host: number) => Effect.Effect<unknown, unknown, SimNode>
): number => {
  const mesh: MeshWorld = { delivered: 0 }
  const world = new World({ seed: "42", ...(hasDigest ? {} : { digest: new NoDigest() }) })
  world.network.latency = {
    minimumMicros: latencyMillisMin * 1_000,
    maximumMicros: latencyMillisMax * 1_000,
    stepMicros: 1_000
  }
  const names = Array.from({ length: hosts }, (_, host) => `host-${host}`)
  if (isStorm) cutAgain(world, names, mulberry32(42))
  for (const [host, name] of names.entries()) world.addNode(name, programOf(mesh, host)).start()
  world.run(`${seconds}s`)
  return mesh.delivered
}

function cutAgain(world: World, names: ReadonlyArray<string>, draw: () => number): void {
  world.kernel.schedule(
    cutEveryMillis * 1_000,
    () => {
      const cut = nextCut(draw, names.length)
      const heal = world.network.partition(
        names.filter((_name, host) => ((cut >> host) & 1) === 1),
        names.filter((_name, host) => ((cut >> host) & 1) === 0)
      )
      world.kernel.schedule(cutMillis * 1_000, heal, undefined)
      cutAgain(world, names, draw)
    },
    undefined
  )
}
