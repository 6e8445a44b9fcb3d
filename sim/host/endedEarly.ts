/**
 * The result of a run that never gave one: what is known of it, and the verdict.
 */
import type { RunRequest, RunResult, Verdict } from "../run/Verdict.ts"
import type { World } from "../run/World.ts"

export const endedEarly = (request: RunRequest, verdict: Verdict, world?: World): RunResult => {
  const plan = request.plan ?? { version: 1, faults: [] }
  return {
    request,
    verdict,
    digest: world?.kernel.facts.digest.value ?? "",
    parameters: request.parameters ?? {},
    plan,
    pinned: plan,
    strikes: world?.hazards.strikes ?? [],
    virtualMicros: world?.nowMicros ?? 0,
    steps: world?.kernel.steps ?? 0,
    facts: world?.kernel.facts.count ?? 0,
    effects: Object.fromEntries(world?.kernel.facts.effects ?? []),
    voids: 0,
    marks: Object.fromEntries(world?.marks ?? [])
  }
}
