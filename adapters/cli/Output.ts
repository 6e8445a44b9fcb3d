/**
 * What the command line prints: plain where nobody looks at a terminal, coloured and moving where somebody does.
 */
import { styleText } from "node:util"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { RunResult } from "../../sim/run/Verdict.ts"
import type { Summary } from "./campaign/Summary.ts"

export const paint = (style: "bold" | "red" | "green" | "dim", text: string): string =>
  styleText(style, text, { stream: process.stdout, validateStream: true })

/** One line on standard error that is written over; in a log, a line every ten seconds. */
export class Ticker {
  readonly #started = performance.now()
  readonly #isTerminal = process.stderr.isTTY === true
  #lastMillis = 0

  say(text: (seconds: number) => string): void {
    const millis = performance.now() - this.#started
    if (millis - this.#lastMillis < (this.#isTerminal ? 100 : 10_000)) return
    this.#lastMillis = millis
    const line = text(millis / 1_000)
    process.stderr.write(this.#isTerminal ? `\r${line}\u001B[K` : `${line}\n`)
  }

  end(): void {
    if (this.#isTerminal) process.stderr.write("\r\u001B[K")
  }
}

export class Progress {
  readonly #total: number
  readonly #ticker = new Ticker()
  #failed = 0
  #virtualSeconds = 0

  constructor(total: number) {
    this.#total = total
  }

  advance(result: RunResult, done: number): void {
    if (result.verdict._tag !== "passed") this.#failed++
    this.#virtualSeconds += result.virtualMicros / 1_000_000
    this.#ticker.say(
      (seconds) =>
        `${done}/${this.#total} seeds  ${(done / seconds).toFixed(1)}/s  ${Math.round(this.#virtualSeconds / seconds)} x real time  ${this.#failed} failed`
    )
  }

  end(): void {
    this.#ticker.end()
  }
}

/** What goes on, on one line of standard error that is written over; in a log, nothing. */
export class Status {
  readonly #isTerminal = process.stderr.isTTY === true

  show(text: string): void {
    if (this.#isTerminal) process.stderr.write(`\r${text}\u001B[K`)
  }

  end(): void {
    if (this.#isTerminal) process.stderr.write("\r\u001B[K")
  }
}

export const verdictTable = (summary: Summary): string => {
  const width = Math.max(10, ...summary.scenarios.map(({ scenario }) => scenario.length))
  const rows = summary.scenarios.map(({ failed, faultKinds: kinds, marks, passed, scenario, virtualSeconds }) => {
    const met = Object.values(marks).filter(({ holds, kind }) => kind !== "judged" && holds > 0).length
    const verdict = failed === 0 ? paint("green", "passed") : paint("red", "FAILED")
    return [
      verdict,
      scenario.padEnd(width),
      String(passed).padStart(6),
      String(failed).padStart(6),
      `${Math.round(virtualSeconds)} s`.padStart(9),
      String(kinds).padStart(6),
      String(met).padStart(6)
    ].join("  ")
  })
  const head = `        ${"scenario".padEnd(width)}  passed  failed    virtual  faults   marks`
  return [paint("bold", head), ...rows, ...undecided(summary)].join("\n")
}

/** What invariants could not judge within their bounds, which is neither passed nor failed. */
const undecided = ({ scenarios }: Summary): ReadonlyArray<string> =>
  scenarios.flatMap(({ marks, scenario }) =>
    Object.entries(marks).flatMap(([invariant, { holds, kind, visits }]) =>
      kind === "judged" && holds < visits
        ? [`undecided: ${invariant} in ${scenario}, ${visits - holds} of ${visits} histories`]
        : []
    )
  )

/** How often each kind of fault changed something; of those that were expected to, also that they never did. */
export const effectTable = (effects: Readonly<Record<string, number>>, isExpected: (kind: string) => boolean): string =>
  // Those that a scenario brings come after those that come with the simulator.
  [...new Set([...faultKinds.map(({ name }) => name), ...Object.keys(effects).toSorted()])]
    .filter((name) => effects[name] !== undefined || isExpected(name))
    .map(
      (name) =>
        `  ${name.padEnd(36)}${effects[name] === undefined ? paint("dim", "    never") : String(effects[name]).padStart(9)}`
    )
    .join("\n")

export interface Speed {
  readonly wallSeconds: number
  readonly seedsPerSecond: number
  readonly virtualPerWall: number
}

export const totals = ({ failed, passed }: Summary, { seedsPerSecond, virtualPerWall, wallSeconds }: Speed): string =>
  `${passed} passed, ${failed} failed in ${wallSeconds.toFixed(1)} s: ${seedsPerSecond.toFixed(1)} seeds/s, ${Math.round(virtualPerWall)} virtual seconds a second`
