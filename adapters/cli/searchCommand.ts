/**
 * `stormglass search`: looks for a failure until one is found or the time is over, and shows it small.
 */
import type { RunResult } from "../../sim/run/Verdict.ts"
import { type SearchName, searchStrategies } from "../../sim/search/strategies.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import { paint, Progress } from "./Output.ts"
import { searchUntilFound } from "./searchUntilFound.ts"
import * as Session from "./Session.ts"
import { makeSmall, smallDocument } from "./shrinkCommand.ts"
import { durationMicros, patienceMillis, requireJobs, UsageError } from "./Usage.ts"

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

const shrinkMillis = 20_000

/** The exit code: 0 nothing was found, 1 a failure was, 3 it is not deterministic. */
export const searchCommand = async (options: SearchCommandOptions): Promise<number> => {
  const { by, isStopped, json, print, runs: runsMax, seedFirst, storage } = options
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
          : `no failure in ${runs} runs by ${by}, ${seconds.toFixed(1)} s`
      )
      return runs === 0 ? 1 : 0
    }
    const shown = await show(failure)
    print(
      json
        ? JSON.stringify({ by, runs, seconds, failure: shown.document }, null, 2)
        : `${shown.screen}\n\nfound after ${runs} runs by ${by}, ${seconds.toFixed(1)} s`
    )
    return failure.verdict._tag === "escaped" || shown.isSame === false ? 3 : 1
  } finally {
    progress.end()
    await supervisor.close()
  }

  async function show(failure: RunResult) {
    const saved = Session.saveFailure(failure, edits)
    const file = saved.file ?? Session.failurePath(failure.request, edits?.name)
    const origin = `npx stormglass replay ${file}`
    const again = await Session.showFailure(supervisor, failure, { replay: origin, file: saved.file })
    if (saved.problem !== undefined) process.stderr.write(paint("red", `not saved: ${saved.problem}\n`))
    const { digest, request, verdict } = failure
    const document = { scenario: request.scenario, seed: request.seed, verdict, digest, file: saved.file ?? null }
    if (options.noShrink || again.isSame !== true || isStopped()) {
      return { screen: again.screen, isSame: again.isSame, document: { ...document, small: null } }
    }
    const isSaved = saved.file !== undefined
    const how = { supervisor, failure, edits, file, isSaved, origin, budgetMillis: shrinkMillis, isStopped }
    const small = await makeSmall(how)
    return {
      screen: small.again.screen,
      isSame: small.again.isSame,
      document: { ...document, small: smallDocument(small) }
    }
  }
}
