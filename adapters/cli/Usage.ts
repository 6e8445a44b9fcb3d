/**
 * What ends a command before it is done: a line that says what, where, and what to do instead, and an exit code.
 */
import { toMicros } from "../../sim/nemesis/FaultPlan.ts"
import { nearest } from "../../sim/nemesis/nearest.ts"
import type { Ending } from "./exitCodes.ts"

export class CommandError extends Error {
  readonly ending: Ending
  /** Each a line. */
  readonly problems: ReadonlyArray<string>

  constructor(problems: string | ReadonlyArray<string>, ending: Ending) {
    const lines = typeof problems === "string" ? [problems] : problems
    super(lines.join("; "))
    this.problems = lines
    this.ending = ending
  }
}

/** Wrong usage. */
export class UsageError extends CommandError {
  override readonly name = "UsageError"

  constructor(problems: string | ReadonlyArray<string>) {
    super(problems, "misused")
  }
}

/** "there is no scenario "x"; did you mean "y"?" */
export const unknown = (what: string, name: string, known: ReadonlyArray<string>): UsageError => {
  const near = nearest(name, known)
  const hint = near === undefined ? `see \`stormglass list ${what}s\`` : `did you mean "${near}"?`
  return new UsageError(`there is no ${what} "${name}"; ${hint}`)
}

/** Any word is a seed. Without blanks, quotes or a sign, so that the line that replays it needs no quoting and is no flag. */
export const parseSeed = (flag: string, text: string): string => {
  if (/^\w[\w.:-]*$/.test(text)) return text
  throw new UsageError(`${flag} "${text}": a seed is a number or a word of letters, digits and _ . : -, as 7 or a1b2`)
}

/** Every request of a sweep is in memory. */
export const seedsMax = 1_000_000

/** "20", "5..9": the seeds that are meant. `N` alone means 1 to N. */
export const parseSeeds = (text: string, flag = "--seeds"): ReadonlyArray<string> => {
  const range = /^(\d+)\.\.(\d+)$/.exec(text)
  const [first, last] = range === null ? [1, Number(text)] : [Number(range[1]), Number(range[2])]
  if (range === null && !/^\d+$/.test(text))
    throw new UsageError(`${flag} "${text}": write a number (20) or a range (5..9)`)
  if (last < first) throw new UsageError(`${flag} "${text}": the range is ${range === null ? "empty" : "backwards"}`)
  if (!Number.isSafeInteger(last))
    throw new UsageError(`${flag} "${text}": seeds of a range are at most ${Number.MAX_SAFE_INTEGER}`)
  if (last - first >= seedsMax) throw new UsageError(`${flag} "${text}": at most ${seedsMax} at once`)
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index))
}

/** Of `STORMGLASS_SEED`, which stands in for a `--seed` that was not typed. */
export const seedOfEnvironment = (): string | undefined => {
  const text = process.env["STORMGLASS_SEED"]
  return text === undefined ? undefined : parseSeed("STORMGLASS_SEED", text)
}

export const durationMicros = (flag: string, text: string): number => {
  try {
    return toMicros(text)
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`)
  }
}

export const requireJobs = (jobs: number): number => {
  if (jobs < 1) throw new UsageError(`--jobs: ${jobs} is no number of workers; the least is 1`)
  return jobs
}

export const patienceMillis = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const millis = durationMicros("--patience", text) / 1_000
  // The timers of Node end there, and turn what is longer into nothing.
  if (millis < 1 || millis > 2 ** 31 - 1) throw new UsageError(`--patience: ${text} is not between 1ms and 24 days`)
  return millis
}
