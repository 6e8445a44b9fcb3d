/**
 * `stormglass search`: looks for a failure until one is found or the time is over, and shows it small.
 */
import { type SearchName, searchStrategies } from "../../sim/search/strategies.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import { Progress } from "./Output.ts"
import { searchUntilFound } from "./searchUntilFound.ts"
import * as Session from "./Session.ts"
import { showFound } from "./showFound.ts"
import { durationMicros, patienceMillis, requireJobs, UsageError } from "./Usage.ts"
import { exitCodeOf } from "./exitCodes.ts"

/** As typed: undefined where it was not. */
export interface SearchCommandOptions {
  readonly scenarios: ReadonlyArray<string>
  readonly by: SearchName
  readonly runs: number
  readonly budget: string | undefined
  readonly seedFirst: number
  readonly mutant: string | undefined
  readonly storage: DatabaseName
  readonly jobs: number
  readonly noShrink: boolean
  readonly patience: string | undefined
  readonly json: boolean
  readonly isStopped: () => boolean
  readonly print: (text: string) => void
}

/** The exit code: 0 nothing was found, 1 a failure was, 3 it is not deterministic. */
export const searchCommand = async (options: SearchCommandOptions): Promise<number> => {
  const { by, isStopped, json, noShrink, print, runs: runsMax, seedFirst, storage } = options
  if (runsMax < 1) throw new UsageError(`--runs: ${runsMax} is less than one`)
  if (!Number.isSafeInteger(seedFirst) || seedFirst < 0) throw new UsageError(`--seed-first: ${seedFirst} is no seed`)
  const scenarios = Session.requireScenarios(options.scenarios)
  const edits = options.mutant === undefined ? undefined : Session.findMutant(options.mutant)
  const budgetMillis = options.budget === undefined ? undefined : durationMicros("--budget", options.budget) / 1_000
  const jobs = requireJobs(options.jobs)
  const supervisor = Session.supervise(edits, jobs, patienceMillis(options.patience))
  const progress = new Progress(runsMax)
  try {
    const found = await searchUntilFound({
      supervisor,
      search: searchStrategies[by].begin({ scenarios, storage, seedFirst }),
      jobs,
      runsMax,
      budgetMillis,
      isStopped,
      onResult: (result, runs) => progress.advance(result, runs)
    })
    progress.end()
    const { failure, runs, seconds } = found
    if (failure === undefined) {
      print(
        json
          ? JSON.stringify({ by, runs, seconds, failure: null }, null, 2)
          : `${isStopped() ? "stopped: " : ""}no failure in ${runs} runs by ${by}, ${seconds.toFixed(1)} s`
      )
      return exitCodeOf(runs === 0 ? "found" : "done")
    }
    const { document, exitCode, screen } = await showFound(supervisor, failure, { edits, noShrink, isStopped })
    print(
      json
        ? JSON.stringify({ by, runs, seconds, failure: document }, null, 2)
        : `${screen}\n\nfound after ${runs} runs by ${by}, ${seconds.toFixed(1)} s`
    )
    return exitCode
  } finally {
    progress.end()
    await supervisor.close()
  }
}
