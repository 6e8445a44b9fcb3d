/**
 * How a run ended: one of five verdicts, each with what a person needs to understand it. Plain data: it crosses threads
 * and files.
 */
import type { Strike } from "../nemesis/Hazards.ts"
import type { Acted, FaultPlan } from "../nemesis/FaultPlan.ts"
import type { WaitingFiber } from "../kernel/FiberWatch.ts"
import type { DatabaseName } from "../storage/Databases.ts"
import type { StrategyName } from "../kernel/Schedule.ts"

/** A fiber that waits, and the node on which it lives. */
export interface Waiting extends WaitingFiber {
  readonly node: string
}

export type Verdict =
  | { readonly _tag: "passed" }
  /** An invariant or a mark of kind always or unreachable was broken. */
  | {
      readonly _tag: "violated"
      readonly invariant: string
      readonly message: string
      readonly evidence: Readonly<Record<string, unknown>>
      readonly factId: number
      readonly atMicros: number
    }
  /** No progress: a deadlock, a livelock, or a liveness condition not met in its budget. */
  | {
      readonly _tag: "stalled"
      readonly reason: string
      /** The most telling first. */
      readonly waiting: ReadonlyArray<Waiting>
      readonly atMicros: number
    }
  /** A node's program, an invariant or the simulator itself failed. */
  | { readonly _tag: "crashed"; readonly node: string; readonly cause: string; readonly atMicros: number }
  /** The program left the simulation: time, chance, timers or I/O of the host, a promise, or two runs of one request that differ. */
  | {
      readonly _tag: "escaped"
      readonly api: string
      readonly remedy: string
      readonly stack: string
      readonly atMicros: number
    }

export interface MarkCount {
  /** Judged: the parts of a run that an invariant judges at its end, of which it could decide so many. */
  readonly kind: "sometimes" | "always" | "reachable" | "unreachable" | "judged"
  /** How often the code came by, and how often the condition held. */
  readonly visits: number
  readonly holds: number
}

/** Everything that decides a run. */
export interface RunRequest {
  readonly scenario: string
  readonly seed: string
  readonly strategy: StrategyName
  /** What the world's database is. Default: the model. */
  readonly storage?: DatabaseName
  /** Instead of those drawn from the seed. */
  readonly parameters?: Readonly<Record<string, number>>
  readonly plan?: FaultPlan
  /** The operations of the workload that are carried out, by name. Default: all. */
  readonly operations?: ReadonlyArray<string>
  /** The preemptions that happen, of those the strategy would make, by name. Default: all. */
  readonly preemptions?: ReadonlyArray<string>
  /** Where the schedule departs from the strategy's, by name: see `kernel/Deviations.ts`. Default: nowhere. */
  readonly deviations?: ReadonlyArray<string>
  /** Every message takes as long as every other. Default: no. */
  readonly isCalm?: boolean
  /** Redraws schedules, latencies and what programs draw: whether a failure depends on them. */
  readonly noise?: number
  /** Stop at this virtual time, with what the verdict is by then. */
  readonly untilMicros?: number
}

export interface RunResult {
  readonly request: RunRequest
  readonly verdict: Verdict
  readonly digest: string
  /** As far as they are known: a run that gave no result may not have said which it drew. */
  readonly parameters: Readonly<Record<string, number>>
  /** The bounds of each parameter, both included: how small the scenario can be. */
  readonly ranges: Readonly<Record<string, readonly [minimum: number, maximum: number]>>
  /** The nodes that were there in the end, with their tags. */
  readonly nodes: Readonly<Record<string, ReadonlyArray<string>>>
  /** Undefined when it is not known, or was not kept; the request draws it again. */
  readonly plan: FaultPlan | undefined
  /** The same plan with selectors and rates replaced by what they turned out to be. */
  readonly pinned: FaultPlan | undefined
  readonly strikes: ReadonlyArray<Strike>
  /** What the workload did, by name. */
  readonly operations: ReadonlyArray<string>
  /** Where fibers were preempted, by name. */
  readonly preemptions: ReadonlyArray<string>
  /** What became of the plan's faults, in the order in which they acted. */
  readonly acted: ReadonlyArray<Acted>
  readonly virtualMicros: number
  readonly steps: number
  readonly facts: number
  /** Fault kind to how often it changed something. */
  readonly effects: Readonly<Record<string, number>>
  /** Entries whose target could not be resolved. */
  readonly voids: number
  readonly marks: Readonly<Record<string, MarkCount>>
}

export const isFailure = (verdict: Verdict): boolean => verdict._tag !== "passed"
