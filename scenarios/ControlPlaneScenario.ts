/**
 * What the stories about the control plane share: clients and agents at work during the safety phase, every invariant, and
 * recovery afterwards.
 */
import { all } from "../core/invariants/all.ts"
import type { Mark } from "../core/facts/Mark.ts"
import { type Check, toCheck } from "../core/invariants/Invariant.ts"
import { type Fault, type FaultPlan, fromMicros } from "../sim/nemesis/FaultPlan.ts"
import type { Draw } from "../sim/nemesis/Draw.ts"
import * as Scenario from "../sim/run/Scenario.ts"
import type { World } from "../sim/run/World.ts"
import { answeredInTime } from "./answeredInTime.ts"
import * as Clients from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import { fleetsLinearizable } from "./fleetsLinearizable.ts"
import { keysLinearizable } from "./keysLinearizable.ts"
import { readYourWrites } from "./readYourWrites.ts"

/** What a story's faults can be drawn for. */
export interface Stage {
  readonly world: World
  /** A hazard over the whole safety phase, at a rate between the bounds; it strikes everybody unless a target is given. */
  readonly throughout: (fault: string, rates: readonly [minimum: number, maximum: number], target?: string) => Fault
}

export interface Story {
  readonly name: string
  readonly story: string
  readonly parameters?: Scenario.ParameterRanges
  readonly safetyMillis?: number
  /** What the clients ask for. Default: each a request every 2 s, of two fleets. */
  readonly workload?: Pick<Clients.ClientsOptions, "requestsPerSecond" | "fleets" | "desiredMin">
  /** How the cluster differs from the usual one. */
  readonly cluster?: Partial<Cluster.ClusterOptions>
  /** The same, where it depends on the parameters. */
  readonly clusterOf?: (parameters: Scenario.Parameters) => Partial<Cluster.ClusterOptions>
  readonly faults: (draw: Draw, stage: Stage) => FaultPlan
  /** Default: every invariant of the control plane. */
  readonly invariants?: ReadonlyArray<Check>
  /** What is judged of the clients' answers. Default: that they agree, come in time, that what was written is read, and that an order explains them. */
  readonly answers?: ReadonlyArray<Check>
  readonly marks?: ReadonlyArray<Mark>
  /** When it has recovered. Default: everything has settled. */
  readonly converged?: (
    cluster: Cluster.ControlPlaneCluster,
    world: World,
    parameters: Scenario.Parameters
  ) => () => true | string
  /** What else happens in the world, by hand. */
  readonly direct?: (world: World, cluster: Cluster.ControlPlaneCluster, parameters: Scenario.Parameters) => void
}

const defaultParameters: Scenario.ParameterRanges = {
  nodes: [3, 3],
  agents: [1, 2],
  clients: [1, 3],
  desiredMax: [2, 6]
}

/** Stale heartbeats, a lagging provider, orphans and backoff: all must be over within this. */
const recoveryMillis = 180_000

/**
 * Transactions that go on for ever in a healthy cluster, or that time alone brings about. Reconciling is not among them: a resync
 * only looks, and a settled row that is written again is work without a reason.
 */
const isRoutine = (label: string): boolean => routine.some((known) => label.startsWith(known))

const routine = [
  "lease/renew",
  "member/beat",
  "heartbeat/",
  "agent/",
  "fleet/status",
  "idempotency/purge",
  "limits/",
  "events/purge"
]

const answers: ReadonlyArray<Check> = [
  toCheck(Clients.answersAgree),
  toCheck(answeredInTime),
  toCheck(readYourWrites),
  keysLinearizable,
  fleetsLinearizable
]

export const make = (story: Story): Scenario.Scenario => {
  const safetyMillis = story.safetyMillis ?? 60_000
  return Scenario.make({
    name: story.name,
    story: story.story,
    parameters: { ...defaultParameters, ...story.parameters },
    safetyMillis,
    build: (world, parameters) => {
      const cluster = Cluster.build(world, {
        nodes: parameters["nodes"] ?? 3,
        agents: parameters["agents"] ?? 1,
        ...story.cluster,
        ...story.clusterOf?.(parameters)
      })
      Clients.build(world, {
        clients: parameters["clients"] ?? 1,
        addresses: cluster.addresses,
        http: Cluster.httpClient(story.cluster ?? {}),
        ...(story.workload ?? { requestsPerSecond: 0.5, fleets: 2, desiredMin: 0 }),
        untilMicros: safetyMillis * 1_000,
        desiredMax: parameters["desiredMax"] ?? 4
      })
      story.direct?.(world, cluster, parameters)
      const converged = story.converged?.(cluster, world, parameters) ?? cluster.settled
      return { converged: () => (world.unended.length === 0 ? converged() : `${world.unended.join(", ")} still asks`) }
    },
    faults: (draw, world) =>
      story.faults(draw, {
        world,
        throughout: (fault, [minimum, maximum], target = "*") => ({
          when: {
            from: "0s",
            until: fromMicros(safetyMillis * 1_000),
            rate: Number(draw.logarithmic(`rate/${fault}`, minimum, maximum).toPrecision(2))
          },
          target,
          fault
        })
      }),
    invariants: [...(story.invariants ?? all), ...(story.answers ?? answers)],
    marks: story.marks ?? [],
    liveness: { withinMillis: recoveryMillis, quietMillis: 15_000, noise: (label) => !isRoutine(label) }
  })
}

/** So many faults at random moments of the first `withinMillis`, each lasting between the bounds. */
export const repeated = (
  draw: Draw,
  options: {
    readonly times: readonly [minimum: number, maximum: number]
    readonly withinMillis: number
    readonly forMillis: readonly [minimum: number, maximum: number]
    /** The same each time, or drawn anew. */
    readonly fault: Omit<Fault, "when" | "for"> | ((own: Draw) => Omit<Fault, "when" | "for">)
  }
): ReadonlyArray<Fault> =>
  Array.from({ length: draw.integer("times", ...options.times) }, (_, index) => {
    const own = draw.child(String(index))
    const tenth = (millis: number) => Math.round(millis / 100)
    const [shortest, longest] = options.forMillis
    return {
      ...(typeof options.fault === "function" ? options.fault(own) : options.fault),
      when: { at: fromMicros(own.integer("at", 10, tenth(options.withinMillis)) * 100_000) },
      for: fromMicros(own.integer("for", tenth(shortest), tenth(longest)) * 100_000)
    }
  })

export const plan = (...faults: ReadonlyArray<Fault>): FaultPlan => ({ version: 1, faults })
