/**
 * The result of a run that never gave one: what is known of it, and the verdict. What it drew and did not live to say is
 * left out, so that whoever runs the request again draws the same from the seed.
 */
import type { Drawn } from "../run/Simulation.ts"
import type { RunRequest, RunResult, Verdict } from "../run/Verdict.ts"
import type { World } from "../run/World.ts"

/** How far the run is known to have come. */
export interface Known {
  readonly world?: World | undefined
  readonly drawn?: Drawn | undefined
}

export const endedEarly = (request: RunRequest, verdict: Verdict, { drawn, world }: Known = {}): RunResult => ({
  request,
  verdict,
  digest: world?.kernel.facts.digest.value ?? "",
  parameters: drawn?.parameters ?? request.parameters ?? {},
  ranges: {},
  nodes: world?.nodes ?? {},
  plan: drawn?.plan ?? request.plan,
  pinned: undefined,
  strikes: world?.hazards.strikes ?? [],
  operations: world?.operations ?? [],
  preemptions: world?.kernel.preemptions ?? [],
  acted: [],
  virtualMicros: world?.nowMicros ?? 0,
  steps: world?.kernel.steps ?? 0,
  facts: world?.kernel.facts.count ?? 0,
  effects: Object.fromEntries(world?.kernel.facts.effects ?? []),
  voids: 0,
  marks: Object.fromEntries(world?.marks ?? [])
})
