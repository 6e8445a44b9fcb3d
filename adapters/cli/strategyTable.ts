/**
 * What each way to search is worth: how many runs, and how much time, it takes to find each mutant.
 */
import type { Mutant } from "../../scenarios/mutants/Mutant.ts"
import type { SearchName } from "../../sim/search/strategies.ts"
import { type MutantSearch, searchMutant } from "./mutantRow.ts"
import { paint } from "./Output.ts"
import * as Session from "./Session.ts"

/** One search for one mutant. */
export interface Trial {
  readonly mutant: string
  readonly by: SearchName
  readonly seedFirst: number
  readonly isFound: boolean
  readonly runs: number
  readonly seconds: number
}

export const tryStrategy = async (mutant: Mutant, search: MutantSearch): Promise<Trial> => {
  const supervisor = Session.supervise(Session.requireFit(mutant), search.jobs)
  try {
    const { failure, runs, seconds } = await searchMutant(supervisor, { runsIn: mutant.runsIn, ...search })
    const { by, seedFirst = 1 } = search
    return { mutant: mutant.name, by, seedFirst, isFound: failure !== undefined, runs, seconds }
  } finally {
    await supervisor.close()
  }
}

export interface Worth {
  readonly by: SearchName
  readonly trials: number
  readonly found: number
  /** Of all trials; one that found nothing counts as the worst. Null when that is one that found nothing. */
  readonly runsMedian: number | null
  readonly runsMean: number
  readonly runsWorst: number | null
  readonly secondsWorst: number
}

export const worthOf = (by: SearchName, trials: ReadonlyArray<Trial>): Worth => {
  const own = trials.filter((trial) => trial.by === by)
  const runs = own.map(({ isFound, runs }) => (isFound ? runs : Infinity)).toSorted((left, right) => left - right)
  const finite = (value: number | undefined) => (value === undefined || value === Infinity ? null : value)
  return {
    by,
    trials: own.length,
    found: own.filter(({ isFound }) => isFound).length,
    runsMedian: finite(runs[Math.floor((runs.length - 1) / 2)]),
    runsMean: own.reduce((sum, { runs }) => sum + runs, 0) / Math.max(1, own.length),
    runsWorst: finite(runs.at(-1)),
    secondsWorst: Math.max(0, ...own.map(({ seconds }) => seconds))
  }
}

export const trialHead = (names: ReadonlyArray<SearchName>): string =>
  paint("bold", `${"runs to find".padEnd(40)}${names.map((name) => name.padStart(11)).join("")}`)

/** One line for each mutant: the median of its trials by each strategy. */
export const trialLine = (mutant: string, names: ReadonlyArray<SearchName>, trials: ReadonlyArray<Trial>): string => {
  const cells = names.map((by) => {
    const own = trials.filter((trial) => trial.mutant === mutant && trial.by === by)
    const { found, runsMedian, trials: count } = worthOf(by, own)
    if (count === 0) return ""
    return runsMedian === null ? `${found}/${count}` : String(runsMedian)
  })
  return `${mutant.padEnd(40)}${cells.map((cell) => cell.padStart(11)).join("")}`
}

export const worthLines = (worths: ReadonlyArray<Worth>): ReadonlyArray<string> => {
  const row = (name: string, cell: (worth: Worth) => string) =>
    `${name.padEnd(40)}${worths.map((worth) => cell(worth).padStart(11)).join("")}`
  return [
    row("found", ({ found, trials }) => `${found}/${trials}`),
    row("median", ({ runsMedian }) => String(runsMedian ?? "-")),
    row("mean", ({ runsMean }) => runsMean.toFixed(1)),
    row("worst", ({ runsWorst }) => String(runsWorst ?? "-")),
    row("worst, seconds", ({ secondsWorst }) => secondsWorst.toFixed(1))
  ]
}
