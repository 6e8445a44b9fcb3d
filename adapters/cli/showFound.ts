/**
 * What becomes of a failure that a search has found: it is saved, run again for its screen, and made small.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"
import type { OtherVersion } from "../../sim/host/installVersions.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import type { RunResult } from "../../sim/run/Verdict.ts"
import * as Session from "./Session.ts"
import { makeSmall, smallDocument } from "./shrinkCommand.ts"
import { exitCodeOf } from "./exitCodes.ts"

const shrinkMillis = 20_000

export interface Found {
  readonly screen: string
  /** For machines. */
  readonly document: object
  /** 1, or 3 where it left the simulation, or was another one when it was run again. */
  readonly exitCode: number
}

export const showFound = async (
  supervisor: Supervisor,
  failure: RunResult,
  how: {
    readonly edits: MutantEdits | undefined
    /** That the supervisor's runs take place on. */
    readonly versions?: ReadonlyArray<OtherVersion>
    readonly noShrink: boolean
    readonly isStopped: () => boolean
  }
): Promise<Found> => {
  const { edits, isStopped, noShrink, versions } = how
  const file = Session.failurePath(failure.request, edits?.name, versions)
  const saved = Session.saveFailure(failure, edits, file, versions)
  const origin = `npx stormglass replay ${file}`
  const again = await Session.showFailure(supervisor, failure, { replay: origin, file: undefined })
  if (saved.problem !== undefined) process.stderr.write(`not saved: ${saved.problem}\n`)
  const isSaved = saved.file !== undefined
  const isShrunk = !noShrink && again.isSame === true && !isStopped()
  const small = isShrunk
    ? await makeSmall({
        supervisor,
        failure,
        edits,
        versions,
        file,
        isSaved,
        origin,
        budgetMillis: shrinkMillis,
        isStopped
      })
    : undefined
  const { digest, request, verdict } = failure
  const isDifferent = [again.isSame, small?.again.isSame].includes(false)
  return {
    screen: small?.again.screen ?? again.screen,
    document: {
      scenario: request.scenario,
      seed: request.seed,
      verdict,
      digest,
      /** Null where it was not run again. */
      isDigestEqual: again.isSame ?? null,
      /** Null where it was not made small. */
      small: small === undefined ? null : smallDocument(small),
      /** Null where it could not be written. */
      file: saved.file ?? null
    },
    exitCode: exitCodeOf(isDifferent || verdict._tag === "escaped" ? "nondeterministic" : "found")
  }
}
