/**
 * What the stories about the control plane share: clients and agents at work during the safety phase, every invariant, and
 * recovery afterwards.
 */
import { toCheck } from "../core/invariants/Invariant.ts"
import type { FaultPlan } from "../sim/nemesis/FaultPlan.ts"
import type { Draw } from "../sim/nemesis/Draw.ts"
import * as Scenario from "../sim/run/Scenario.ts"
import type { World } from "../sim/run/World.ts"
import * as Clients from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

export interface Story {
  readonly name: string
  readonly story: string
  readonly parameters?: Scenario.ParameterRanges
  readonly safetyMillis?: number
  readonly faults: (draw: Draw, world: World, parameters: Scenario.Parameters) => FaultPlan
  /** What else happens in the world, by hand. */
  readonly direct?: (world: World, cluster: Cluster.ControlPlaneCluster, parameters: Scenario.Parameters) => void
}

const defaultParameters: Scenario.ParameterRanges = { nodes: [3, 3], agents: [1, 2], clients: [1, 3], desiredMax: [2, 6] }

/** Stale heartbeats, a lagging provider, orphans and backoff: all must be over within this. */
const recoveryMillis = 180_000

/** Transactions that go on for ever in a healthy cluster, or that time alone brings about. */
const isRoutine = (label: string): boolean =>
  ["lease/renew", "member/beat", "heartbeat/", "agent/", "fleet/status", "idempotency/purge", "member/purge"].some((routine) =>
    label.startsWith(routine)
  )

export const make = (story: Story): Scenario.Scenario => {
  const safetyMillis = story.safetyMillis ?? 60_000
  return Scenario.make({
    name: story.name,
    story: story.story,
    parameters: { ...defaultParameters, ...story.parameters },
    safetyMillis,
    build: (world, parameters) => {
      const cluster = Cluster.build(world, { nodes: parameters["nodes"] ?? 3, agents: parameters["agents"] ?? 1 })
      Clients.build(world, {
        clients: parameters["clients"] ?? 1,
        addresses: cluster.addresses,
        requestsPerSecond: 0.5,
        untilMicros: safetyMillis * 1_000,
        fleets: 2,
        desiredMax: parameters["desiredMax"] ?? 4
      })
      story.direct?.(world, cluster, parameters)
      return { converged: cluster.settled }
    },
    faults: story.faults,
    invariants: [toCheck(Clients.answersAgree)],
    liveness: { withinMillis: recoveryMillis, quietMillis: 15_000, noise: (label) => !isRoutine(label) }
  })
}
