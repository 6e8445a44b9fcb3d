/**
 * What a run of Stryker says: how many of the planted mistakes the tests have found, and which they have not.
 *
 * A mistake that makes the module fail to load at all is none: no such program could be started.
 */
import type { Explanation } from "./explanations.ts"

/** As much of Stryker's report as is read here. */
export interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: ReadonlyArray<Mutant> }>>
}

export interface Mutant {
  readonly mutatorName: string
  readonly replacement: string
  readonly status: string
  readonly location: { readonly start: Place; readonly end: Place }
}

/** Both from 1; the end is behind the last character. */
interface Place {
  readonly line: number
  readonly column: number
}

export interface FileScore {
  readonly file: string
  readonly killed: number
  /** Ended by the limit of time: they count as found. */
  readonly timedOut: number
  readonly survivors: ReadonlyArray<Survivor>
}

/** What must be the same for an explanation to hold: the file, the whole first line of what was replaced, it, and what replaced it. */
export interface Survivor {
  readonly file: string
  readonly line: number
  readonly text: string
  readonly from: string
  readonly to: string
}

export const scoreOf = (report: Report): ReadonlyArray<FileScore> =>
  Object.entries(report.files).map(([file, { mutants, source }]) => {
    const count = (status: string) => mutants.filter((mutant) => mutant.status === status).length
    const survivors = mutants
      .filter(({ status }) => status === "Survived" || status === "NoCoverage")
      .map((mutant) => survivorOf(file, source, mutant))
    return { file, killed: count("Killed"), timedOut: count("Timeout"), survivors }
  })

export const plantedIn = ({ killed, survivors, timedOut }: FileScore): number => killed + timedOut + survivors.length

/** In percent, cut to one decimal, so that 100 means all. */
export const percentOf = (scores: ReadonlyArray<FileScore>): number => {
  const planted = scores.reduce((sum, score) => sum + plantedIn(score), 0)
  const survived = scores.reduce((sum, { survivors }) => sum + survivors.length, 0)
  return planted === 0 ? 100 : Math.floor(((planted - survived) / planted) * 1_000) / 10
}

export const explains = (explanation: Explanation, { file, from, text, to }: Survivor): boolean =>
  explanation.file === file && explanation.text === text && explanation.from === from && explanation.to === to

/** On one line, so that it can stand in a table. */
const oneLine = (text: string): string => text.split(/\s*\n\s*/).join(" ")

function survivorOf(file: string, source: string, { location, replacement }: Mutant): Survivor {
  const { end, start } = location
  const lines = source.split("\n")
  const text = lines[start.line - 1]!.trim()
  const covered = lines.slice(start.line - 1, end.line)
  const last = covered.length - 1
  covered[last] = covered[last]!.slice(0, end.column - 1)
  covered[0] = covered[0]!.slice(start.column - 1)
  return { file, line: start.line, text, from: oneLine(covered.join("\n")), to: oneLine(replacement) }
}
