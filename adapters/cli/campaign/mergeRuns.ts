/**
 * Runs of several stores as those of one.
 *
 * - M1 The order in which runs come, and how often each does, change nothing.
 * - M2 Of two records of one pair the failure is kept: no failure is lost in a merge.
 * - M3 Two digests of one pair are told, whatever is kept: the run is not deterministic, or the machines are not alike.
 */
import { byLength, type CampaignRun, inOrder, keyOf } from "./CampaignRun.ts"

export interface Merged {
  /** One of each pair, by scenario and seed. */
  readonly runs: ReadonlyArray<CampaignRun>
  /** Pairs that ended in several ways: one run for each digest. */
  readonly conflicts: ReadonlyArray<ReadonlyArray<CampaignRun>>
}

export const mergeRuns = (runs: Iterable<CampaignRun>): Merged => {
  const byPair = new Map<string, ReadonlyArray<CampaignRun>>()
  for (const run of runs) {
    const known = byPair.get(keyOf(run)) ?? []
    const same = known.find(({ digest, violation }) => digest === run.digest && violation === run.violation)
    const others = known.filter((other) => other !== same)
    byPair.set(keyOf(run), [...others, same === undefined ? run : better(same, run)])
  }
  const pairs = [...byPair.values()].map((pair) => pair.toSorted(byWorth))
  const chosen = pairs.map(([best]) => best as CampaignRun)
  const conflicts = pairs
    // What gave no result has no digest that could differ.
    .map((pair) => pair.filter(({ digest }) => digest !== ""))
    .filter((pair) => pair.length > 1)
  return {
    runs: chosen.toSorted(inOrder),
    conflicts: conflicts.toSorted(([left], [right]) => inOrder(left as CampaignRun, right as CampaignRun))
  }
}

function better(one: CampaignRun, other: CampaignRun): CampaignRun {
  return byWorth(one, other) <= 0 ? one : other
}

/** Total, so that it does not matter who comes first: failures, then what has a digest, then what took less time. */
function byWorth(one: CampaignRun, other: CampaignRun): number {
  return (
    Number(one.violation === "") - Number(other.violation === "") ||
    Number(one.digest === "") - Number(other.digest === "") ||
    byLength(one, other) ||
    one.hostMillis - other.hostMillis ||
    (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)
  )
}
