/**
 * `npm run bench`: every figure five times, each time in a fresh process, one after the other in rounds so that slow drift of the
 * machine strikes all of them; the median of the inner time counts. Ratios, not seconds, are what may be compared between machines.
 */
import { execFileSync } from "node:child_process"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { attempt, runCommand } from "../runCommand.ts"
import { UsageError } from "../Usage.ts"
import { type Figure, figures } from "./figures.ts"
import type { Measured } from "./measure.ts"

interface Row extends Measured {
  readonly figure: Figure
  readonly perSecond: number
  /** To the baseline of the group, by what is done per second. */
  readonly ratio: number | undefined
}

const bench = Command.make(
  "bench",
  {
    only: Flag.String("only").pipe(
      Flag.withDescription('Figures whose "group/name" holds this text'),
      Flag.withDefault("")
    ),
    rounds: Flag.Int("rounds").pipe(Flag.withDescription("How often each is measured"), Flag.withDefault(5)),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("One JSON document on standard output"),
      Flag.withDefault(false)
    )
  },
  (options) => attempt(async () => benchCommand(options))
).pipe(
  Command.withDescription(
    "Measure meshes, an idle day, the standard scenario and the storage model, each figure in fresh processes"
  ),
  Command.withExamples([
    { command: "npm run bench", description: "everything, five rounds, some minutes" },
    { command: 'npm run bench -- --only "mesh of 5" --rounds 3', description: "one table" }
  ])
)

function benchCommand(options: { readonly only: string; readonly rounds: number; readonly json: boolean }): void {
  const { json, only, rounds } = options
  if (rounds < 1) throw new UsageError(`--rounds: ${rounds} is no number of rounds; the least is 1`)
  const chosen = figures.filter(({ group, name }) => `${group}/${name}`.includes(only))
  if (chosen.length === 0) {
    const all = figures.map(({ group, name }) => `${group}/${name}`).join(", ")
    throw new UsageError(`--only: no figure matches "${only}"; there are: ${all}`)
  }
  const samples = new Map<Figure, Array<Measured>>(chosen.map((figure) => [figure, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const figure of chosen) {
      say(`round ${round} of ${rounds}: ${figure.group}, ${figure.name}`)
      samples.get(figure)?.push(measure(figure))
    }
  }
  say("")
  const medians = new Map(chosen.map((figure) => [figure, medianOf(samples.get(figure) ?? [])]))
  const rows = chosen.map((figure) => rowOf(figure, medians))
  process.stdout.write(json ? `${JSON.stringify(rows.map(toJson), null, 2)}\n` : table(rows, rounds))
}

function say(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${progress}`)
}

const nodeFlags = ["--disable-warning=ExperimentalWarning"]
/** As `adapters/cli/stormglass.js` sets it. */
const memory = ["--min-semi-space-size=64", "--max-semi-space-size=64", "--single-threaded-gc"]

function measure({ group, isLaunched, name }: Figure): Measured {
  const script = new URL("measure.ts", import.meta.url).pathname
  // It slows the callback loop by 15 %, and would flatter every ratio to it.
  const flags = isLaunched === true ? [...nodeFlags, ...memory] : nodeFlags
  const output = execFileSync(process.execPath, [...flags, script, group, name], {
    encoding: "utf8"
  })
  return JSON.parse(output) as Measured
}

function medianOf(samples: ReadonlyArray<Measured>): Measured {
  const cost = ({ baselineMillis, millis }: Measured) =>
    baselineMillis === undefined ? millis : millis / baselineMillis
  const sorted = samples.toSorted((left, right) => cost(left) - cost(right))
  return sorted[Math.floor((sorted.length - 1) / 2)] as Measured
}

function perSecondOf({ count, millis }: Measured): number {
  return (count / millis) * 1_000
}

function rowOf(figure: Figure, medians: ReadonlyMap<Figure, Measured>): Row {
  const measured = medians.get(figure) as Measured
  const baseline = [...medians].find(([{ group, name }]) => group === figure.group && name === figure.baseline)
  const perSecond = perSecondOf(measured)
  const { baselineMillis, millis } = measured
  const own = baselineMillis === undefined ? undefined : baselineMillis / millis
  return {
    figure,
    ...measured,
    perSecond,
    ratio: own ?? (baseline === undefined ? undefined : perSecond / perSecondOf(baseline[1]))
  }
}

/** What the target is set for: what is done in a second, or the ratio where there is one, else virtual seconds per second. */
function scoreOf(row: Row): number {
  if (row.figure.targetPerSecond !== undefined) return row.perSecond
  return row.ratio ?? virtualPerSecond(row)
}

function targetOf({ target, targetPerSecond }: Figure): number | undefined {
  return targetPerSecond ?? target
}

function virtualPerSecond({ millis, virtualSeconds }: Measured): number {
  return (virtualSeconds / millis) * 1_000
}

function toJson(row: Row) {
  const { figure, ...rest } = row
  const { group, name, unit } = figure
  return { group, name, unit, ...rest, virtualPerSecond: virtualPerSecond(row), target: targetOf(figure) ?? null }
}

function table(all: ReadonlyArray<Row>, rounds: number): string {
  const lines: Array<string> = []
  for (const group of new Set(all.map(({ figure }) => figure.group))) {
    lines.push("", group)
    lines.push(
      `  ${"".padEnd(22)}${["inner", "per second", "ratio", "target", "virtual s/s", "memory"].map((head) => head.padStart(14)).join("")}`
    )
    for (const row of all.filter(({ figure }) => figure.group === group)) {
      const { figure, millis, peakMegabytes, perSecond, ratio } = row
      const target = targetOf(figure)
      const isMissed = target !== undefined && scoreOf(row) < target
      const cells = [
        `${millis.toFixed(millis < 100 ? 1 : 0)} ms`,
        `${short(perSecond)} ${unitOf(figure)}`,
        ratio === undefined ? "" : ratio.toFixed(3),
        target === undefined ? "" : `${target < 1e6 ? target : short(target)}${isMissed ? " missed" : ""}`,
        row.virtualSeconds === 0 ? "" : short(virtualPerSecond(row)),
        `${peakMegabytes.toFixed(0)} MB`
      ]
      lines.push(`  ${figure.name.padEnd(22)}${cells.map((cell) => cell.padStart(14)).join("")}`)
      if (row.latency !== undefined) {
        const { medianMillis, slowestOfHundredMillis } = row.latency
        lines.push(
          `  ${"".padEnd(22)}${medianMillis.toFixed(1)} ms at the median, ${slowestOfHundredMillis.toFixed(1)} ms in one of a hundred`
        )
      }
      if (row.facts !== undefined)
        lines.push(`  ${"".padEnd(22)}${short(row.facts / row.virtualSeconds)} facts per virtual second`)
    }
  }
  lines.push("", `Median of ${rounds}, each in a fresh process; node ${process.versions.node}.`, "")
  return lines.join("\n")
}

/** What fits into its column. */
function unitOf({ unit }: Figure): string {
  return unit === "messages" ? "msg" : unit === "transactions" ? "txn" : unit
}

function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  return value >= 1e4 ? `${(value / 1e3).toFixed(0)} k` : value.toFixed(value < 10 ? 2 : 0)
}

process.exitCode = await runCommand(bench)
