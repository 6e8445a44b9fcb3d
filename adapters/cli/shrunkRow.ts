/**
 * One line of the table of small failures: a mutant's first failure made small on one core, how small, in what time, and how many neutral
 * mutants leave it as it is.
 */
import { join } from "node:path"
import { shrinkFailure } from "../../sim/host/shrinkFailure.ts"
import { Refused } from "../../sim/host/Supervisor.ts"
import type { RunResult } from "../../sim/run/Verdict.ts"
import { type Size } from "../../sim/shrink/Shrinker.ts"
import { violationOf } from "../../sim/shrink/violationOf.ts"
import { neutralMutants } from "../../scenarios/mutants/neutral.ts"
import type { Mutant } from "../../scenarios/mutants/Mutant.ts"
import { type MutantSearch, searchMutant } from "./mutantRow.ts"
import { paint } from "./Output.ts"
import * as Session from "./Session.ts"
import { runOn } from "./shrinkCommand.ts"

export interface ShrunkRow {
  readonly mutant: string
  readonly scenario: string
  readonly violation: string
  readonly before: Size
  readonly after: Size
  readonly runs: number
  readonly seconds: number
  /** Small enough, in time, and its replay is the same run. */
  readonly isGood: boolean
  /** The neutral mutants under which it fails in another way, or passes. */
  readonly lostUnder: ReadonlyArray<string>
}

const faultsMax = 5
const nodesMax = 3
const operationsMax = 10
const budgetMillis = 60_000

/** Undefined when the mutant was not found. With a directory, the small failure is written there. */
export const shrunkRow = async (
  mutant: Mutant,
  search: MutantSearch,
  directory: string | undefined
): Promise<ShrunkRow | undefined> => {
  const edits = Session.requireFit(mutant)
  const supervisor = Session.supervise(edits, 1)
  try {
    const { failure } = await searchMutant(supervisor, { runsIn: mutant.runsIn, ...search })
    if (failure === undefined) return undefined
    const { isStopped } = search
    const shrunk = await shrinkFailure(runOn(supervisor), failure, { budgetMillis, isStopped, onRun: () => undefined })
    const { after, before, best, runs, seconds } = shrunk
    const again = await supervisor.run(best.request)
    if (directory !== undefined) Session.saveFailure(best, edits, join(directory, `${mutant.name}.json`))
    const isSmall =
      after.faults <= faultsMax &&
      (after.parameters["nodes"] ?? 0) <= nodesMax &&
      after.operations <= operationsMax &&
      seconds <= budgetMillis / 1_000
    return {
      mutant: mutant.name,
      scenario: best.request.scenario,
      violation: violationOf(best.verdict),
      before,
      after,
      runs,
      seconds,
      isGood: isSmall && again.result.digest === best.digest,
      lostUnder: await lostUnder(mutant, best)
    }
  } finally {
    await supervisor.close()
  }
}

async function lostUnder(mutant: Mutant, best: RunResult): Promise<ReadonlyArray<string>> {
  const lost: Array<string> = []
  for (const neutral of neutralMutants) {
    const edits = { name: `${mutant.name} and ${neutral.name}`, edits: [...mutant.edits, ...neutral.edits] }
    const supervisor = Session.supervise(edits, 1)
    try {
      const { result } = await supervisor.run(best.request)
      if (violationOf(result.verdict) !== violationOf(best.verdict)) lost.push(neutral.name)
    } catch (error) {
      // The mutant changes the very lines: the two cannot be planted together.
      if (!(error instanceof Refused)) throw error
    } finally {
      await supervisor.close()
    }
  }
  return lost
}

export const shrunkHead = `${"mutant".padEnd(38)}${"faults".padStart(10)}${"nodes".padStart(8)}${"operations".padStart(13)}${"seconds".padStart(10)}${"runs".padStart(6)}  neutral`

export const shrunkLine = ({ after, before, isGood, lostUnder: lost, mutant, runs, seconds }: ShrunkRow): string => {
  const change = (one: number, other: number) => `${one} → ${other}`
  const line = [
    mutant.padEnd(38),
    change(before.faults, after.faults).padStart(10),
    change(before.parameters["nodes"] ?? 0, after.parameters["nodes"] ?? 0).padStart(8),
    change(before.operations, after.operations).padStart(13),
    seconds.toFixed(1).padStart(10),
    String(runs).padStart(6),
    `  ${neutralMutants.length - lost.length} of ${neutralMutants.length}`
  ].join("")
  return isGood ? line : paint("red", line)
}
