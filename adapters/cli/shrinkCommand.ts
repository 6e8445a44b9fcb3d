/**
 * `stormglass shrink FILE`: makes a saved failure small, says what it needs, and saves it beside the other.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"
import type { OtherVersion } from "../../sim/host/installVersions.ts"
import { type Run, shrinkAndExplain, type Shrunk } from "../../sim/host/shrinkFailure.ts"
import { Refused, type Supervisor } from "../../sim/host/Supervisor.ts"
import { isFailure, type RunResult } from "../../sim/run/Verdict.ts"
import { violationOf } from "../../sim/shrink/violationOf.ts"
import * as FailureFile from "../../reports/FailureFile.ts"
import type { Size } from "../../sim/shrink/Shrinker.ts"
import * as FailureScreen from "../../reports/FailureScreen.ts"
import type { Saved } from "../../reports/saveFailure.ts"
import type { FaultNeed } from "../../sim/shrink/Necessity.ts"
import { Status } from "./Output.ts"
import * as Session from "./Session.ts"
import { UsageError } from "./Usage.ts"
import { exitCodeOf } from "./exitCodes.ts"

/** A failure made small, as far as the time went. */
export interface Small {
  readonly shrunk: Shrunk
  readonly needs: ReadonlyArray<FaultNeed> | undefined
  readonly saved: Saved
  readonly again: Session.Again
}

export interface SmallOptions {
  readonly supervisor: Supervisor
  readonly failure: RunResult
  readonly edits: MutantEdits | undefined
  /** That the supervisor's runs take place on. */
  readonly versions?: ReadonlyArray<OtherVersion> | undefined
  /** Where the failure itself is saved, if it could be; the small one goes beside it. */
  readonly file: string
  readonly isSaved: boolean
  /** What replays the failure as it was found. */
  readonly origin: string
  readonly budgetMillis: number
  readonly isStopped: () => boolean
}

/** Shrinks, asks what is necessary within what time is left, saves, and runs the small case once more for its screen. */
export const makeSmall = async (options: SmallOptions): Promise<Small> => {
  const { budgetMillis, edits, failure, file, isStopped, origin, supervisor, versions } = options
  const status = new Status()
  const run = runOn(supervisor)
  try {
    const onRun = (what: string, runs: number, size: Size) => status.show(`${what}: run ${runs}, ${sizeText(size)}`)
    const { needs, ...shrunk } = await shrinkAndExplain(run, failure, { budgetMillis, isStopped, onRun })
    const saved = Session.saveFailure(shrunk.best, edits, smallPath(file), versions)
    const replay = saved.file === undefined ? origin : `npx stormglass replay ${saved.file}`
    status.end()
    const again = await Session.showFailure(supervisor, shrunk.best, {
      replay,
      file: options.isSaved ? file : undefined,
      explained: { ...shrunk, needs, origin }
    })
    return { shrunk, needs, saved, again }
  } finally {
    status.end()
  }
}

/** Of a small case, for machines. */
export const smallDocument = ({ needs, saved, shrunk }: Small) => ({
  before: shrunk.before,
  after: shrunk.after,
  runs: shrunk.runs,
  seconds: shrunk.seconds,
  isFinished: shrunk.isFinished,
  plan: shrunk.best.plan ?? null,
  operations: shrunk.best.request.operations ?? null,
  verdict: shrunk.best.verdict,
  digest: shrunk.best.digest,
  /** Null when the time was over before it was known. */
  needs: needs ?? null,
  file: saved.file ?? null
})

export interface ShrinkCommandOptions {
  readonly file: string
  readonly mutant: string | undefined
  readonly budgetMillis: number
  readonly patienceMillis: number | undefined
  readonly json: boolean
  readonly isStopped: () => boolean
  readonly print: (text: string) => void
}

/** The exit code: 1 as for every failure that is shown, 0 when the failure is no more, 3 when it is not the one that was saved. */
export const shrinkCommand = async (options: ShrinkCommandOptions): Promise<number> => {
  const { file, json, mutant, print } = options
  if (!Session.isFailureFile(file)) throw new UsageError(`shrink ${file}: it takes the file of a saved failure`)
  const { differences, edits, saved, versions } = Session.openFailure(file, mutant)
  const supervisor = Session.supervise(edits, 1, options.patienceMillis, versions)
  try {
    const { result: failure } = await Session.ofFailure(file, saved, supervisor.run(FailureFile.requestOf(saved)))
    for (const line of [...differences, ...(failure.digest === saved.digest ? [] : Session.unusedOf(saved, failure))]) {
      process.stderr.write(`differs: ${line}\n`)
    }
    if (!isFailure(failure.verdict)) {
      print(json ? JSON.stringify({ isFailing: false }, null, 2) : `it passes now: ${Session.whatMayDiffer(saved)}`)
      return exitCodeOf("done")
    }
    const was = saved.verdict as RunResult["verdict"]
    if (violationOf(was) !== violationOf(failure.verdict)) {
      throw new UsageError(
        `shrink ${file}: it fails in another way now: ${FailureScreen.headline(failure.verdict)}; ${Session.whatMayDiffer(saved)}`
      )
    }
    const origin = `npx stormglass replay ${file}`
    const small = await makeSmall({ ...options, supervisor, failure, edits, versions, file, isSaved: true, origin })
    print(json ? JSON.stringify({ isFailing: true, ...smallDocument(small) }, null, 2) : small.again.screen)
    if (small.saved.problem !== undefined) process.stderr.write(`not saved: ${small.saved.problem}\n`)
    return exitCodeOf(small.again.isSame === false ? "nondeterministic" : "found")
  } finally {
    await supervisor.close()
  }
}

/** A candidate that does not fit its own world is no failure of the caller. */
export const runOn =
  (supervisor: Supervisor): Run =>
  async (request) => {
    try {
      return (await supervisor.run(request)).result
    } catch (error) {
      if (error instanceof Refused) return undefined
      throw error
    }
  }

const smallPath = (file: string): string => `${file.replace(/(-small)?\.json$/, "")}-small.json`

function sizeText({ faults, operations, parameters }: Size): string {
  const sizes = Object.entries(parameters).map(([name, value]) => `${value} ${name}`)
  return [`${faults} faults`, `${operations} operations`, ...sizes].join(", ")
}
