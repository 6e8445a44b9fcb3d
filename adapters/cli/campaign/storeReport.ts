/**
 * What must be said of stores besides their runs: what is lost of them, and what contradicts itself.
 */
import type { CampaignRun } from "./CampaignRun.ts"
import type { Loss } from "./readStore.ts"

const shownMax = 5

/** Undefined when nothing is lost. */
export const lossLine = (path: string, lost: ReadonlyArray<Loss>): string | undefined => {
  if (lost.length === 0) return undefined
  const shown = lost.slice(0, shownMax).map(({ line, why }) => `line ${line} (${why})`)
  const more = lost.length > shownMax ? [`${lost.length - shownMax} more`] : []
  const what =
    lost.length === 1
      ? "1 line is lost, and its run not counted"
      : `${lost.length} lines are lost, and their runs not counted`
  return `${path}: ${what}: ${[...shown, ...more].join(", ")}`
}

export const conflictLines = (conflicts: ReadonlyArray<ReadonlyArray<CampaignRun>>): ReadonlyArray<string> => {
  const shown = conflicts.slice(0, shownMax).map((runs) => {
    const [{ scenario, seed }] = runs as [CampaignRun]
    const digests = runs.map(({ digest, verdict }) => `${digest.slice(0, 16)} (${verdict._tag})`)
    return `DIGEST DIFFERS, this run is not deterministic: ${scenario}, seed ${seed}: ${digests.join(" and ")}`
  })
  const more = conflicts.length - shown.length
  return more > 0 ? [...shown, `… and so do those of ${more} more`] : shown
}
