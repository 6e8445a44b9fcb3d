/**
 * One worker thread: runs the requests that it is sent, one at a time, and answers each with its result. Scenarios are
 * loaded by name from the catalogue module that the supervisor names.
 */
import "./withoutAsyncHooks.ts"
import { parentPort, workerData } from "node:worker_threads"
import type * as FaultKinds from "../nemesis/faultKinds.ts"
import type { Envelope } from "../../core/facts/Envelope.ts"
import type * as Simulation from "../run/Simulation.ts"
import type { Scenario } from "../run/Scenario.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import { installMutant, type MutantEdits, notAppliedOnce } from "./installMutant.ts"

export interface WorkerData {
  /** URL of a module that exports `catalogue: [{ name, load }]`. */
  readonly catalogue: string
  readonly mutant: MutantEdits | undefined
}

export interface WorkerRequest {
  readonly id: number
  readonly request: RunRequest
  readonly wantsFacts: boolean
}

export type WorkerResponse =
  | {
      readonly _tag: "Result"
      readonly id: number
      readonly result: RunResult
      readonly facts: ReadonlyArray<Envelope>
    }
  /** What the request names does not exist, or the mutant does not fit: a mistake of the caller. */
  | { readonly _tag: "Refused"; readonly id: number; readonly message: string }

interface Loaded {
  readonly scenarios: ReadonlyArray<{ readonly name: string; readonly load: () => Promise<Scenario> }>
  readonly runScenario: typeof Simulation.runScenario
  readonly PlanProblem: typeof Simulation.PlanProblem
  readonly faultKinds: typeof FaultKinds.faultKinds
}

const { catalogue, mutant } = workerData as WorkerData
if (mutant !== undefined) installMutant(mutant)
const loading = load()

parentPort?.on("message", (message: WorkerRequest) => {
  void answer(message).then((response) => parentPort?.postMessage(response))
})

async function load(): Promise<Loaded> {
  const [{ catalogue: scenarios }, { PlanProblem, runScenario }, { faultKinds }, { pinHashes }] = await Promise.all([
    import(catalogue) as Promise<{ readonly catalogue: Loaded["scenarios"] }>,
    import("../run/Simulation.ts"),
    import("../nemesis/faultKinds.ts"),
    import("./Trap.ts")
  ])
  pinHashes()
  return { scenarios, runScenario, PlanProblem, faultKinds }
}

async function answer({ id, request, wantsFacts }: WorkerRequest): Promise<WorkerResponse> {
  const { PlanProblem, faultKinds, runScenario, scenarios } = await loading
  const scenario = await scenarios.find(({ name }) => name === request.scenario)?.load()
  if (scenario === undefined) return { _tag: "Refused", id, message: `there is no scenario "${request.scenario}"` }
  const unfit = mutant === undefined ? undefined : notAppliedOnce(mutant)
  if (unfit !== undefined) return { _tag: "Refused", id, message: unfit }
  const facts: Array<Envelope> = []
  try {
    const result = runScenario(scenario, request, {
      kinds: faultKinds,
      ...(wantsFacts ? { onFact: (envelope: Envelope) => facts.push(envelope) } : {})
    })
    return { _tag: "Result", id, result, facts }
  } catch (error) {
    if (error instanceof PlanProblem) return { _tag: "Refused", id, message: error.message }
    throw error
  }
}
