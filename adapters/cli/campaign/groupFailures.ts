/**
 * Failures by what they violated, which is more often one defect than several: how many there are, where, the one that is over
 * soonest, and what they become when they are made small.
 */
import type { FaultPlan } from "../../../sim/nemesis/FaultPlan.ts"
import { byLength, type CampaignRun, inOrder } from "./CampaignRun.ts"

/** What a failure became when it was made small. */
export interface SmallCase {
  readonly scenario: string
  readonly seed: string
  readonly violation: string
  readonly plan: FaultPlan
  readonly operations: number
  readonly file?: string
}

export interface SmallGroup {
  /** The kinds of its faults: "network/partition + process/kill". */
  readonly faults: string
  readonly count: number
  /** The one with the fewest faults and operations. */
  readonly least: SmallCase
}

export interface FailureGroup {
  readonly violation: string
  readonly count: number
  /** Scenario to its seeds. */
  readonly seeds: Readonly<Record<string, ReadonlyArray<string>>>
  readonly fastest: CampaignRun
  readonly smalls: ReadonlyArray<SmallGroup>
}

/** The largest group first. */
export const groupFailures = (
  runs: ReadonlyArray<CampaignRun>,
  smalls: ReadonlyArray<SmallCase>
): ReadonlyArray<FailureGroup> => {
  const failures = Map.groupBy(
    runs.filter(({ violation }) => violation !== "").toSorted(inOrder),
    ({ violation }) => violation
  )
  return [...failures]
    .map(([violation, group]) => ({
      violation,
      count: group.length,
      seeds: Object.fromEntries(
        [...Map.groupBy(group, ({ scenario }) => scenario)].map(([scenario, ofIt]) => [
          scenario,
          ofIt.map(({ seed }) => seed)
        ])
      ),
      fastest: group.toSorted(byLength)[0] as CampaignRun,
      smalls: groupSmalls(smalls.filter((small) => small.violation === violation))
    }))
    .toSorted((left, right) => right.count - left.count || byLength(left.fastest, right.fastest))
}

function groupSmalls(smalls: ReadonlyArray<SmallCase>): ReadonlyArray<SmallGroup> {
  return [...Map.groupBy(smalls, faultsOf)]
    .map(([faults, group]) => ({
      faults,
      // The same case may have been made small on several machines.
      count: new Set(group.map(({ scenario, seed }) => `${seed} ${scenario}`)).size,
      least: group.toSorted(bySize)[0] as SmallCase
    }))
    .toSorted((left, right) => bySize(left.least, right.least))
}

function faultsOf({ plan }: SmallCase): string {
  const kinds = plan.faults.map(({ fault }) => fault).toSorted()
  return kinds.length === 0 ? "no fault" : kinds.join(" + ")
}

function bySize(left: SmallCase, right: SmallCase): number {
  const [one, other] = [JSON.stringify(left), JSON.stringify(right)]
  return (
    left.plan.faults.length - right.plan.faults.length ||
    left.operations - right.operations ||
    one.length - other.length ||
    (one < other ? -1 : one > other ? 1 : 0)
  )
}
