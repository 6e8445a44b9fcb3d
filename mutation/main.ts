/**
 * `npm run mutate`: plants small mistakes in the pure decisions of core, one at a time, and shows each to the tests of that decision.
 * One file after the other, so that what was found outlives whatever ends the run. Each result is stored with the fingerprint of all
 * sources that it came from, and stands for as long as they are the same.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, globSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { attempt, runCommand } from "../adapters/cli/runCommand.ts"
import { UsageError } from "../adapters/cli/Usage.ts"
import { orNearest } from "../sim/nemesis/nearest.ts"
import { type Explanation, explanations } from "./explanations.ts"
import { type FileScore, type Report, type Survivor, explains, percentOf, plantedIn, scoreOf } from "./Score.ts"

const root = fileURLToPath(new URL("../", import.meta.url))
const configuration = "mutation/stryker.config.json"

interface Configuration {
  readonly mutate: ReadonlyArray<string>
  /** Where Stryker leaves its report. It could go on from there, but not notice that tests were added for what runs while a module loads. */
  readonly incrementalFile: string
}

interface Stored {
  readonly fingerprint: string
  readonly score: FileScore
}

const mutate = Command.make(
  "mutate",
  {
    files: Argument.String("file").pipe(
      Argument.variadic(),
      Argument.withDescription("Of those that are mutated; all")
    ),
    fresh: Flag.Boolean("fresh").pipe(
      Flag.withDescription("Run also that of which nothing has changed"),
      Flag.withDefault(false)
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("One JSON document on standard output"),
      Flag.withDefault(false)
    )
  },
  (options) => attempt(async () => mutateCommand(options))
).pipe(Command.withDescription("Plant small mistakes in the pure decisions of core, and see which no test finds"))

function mutateCommand({
  files,
  fresh,
  json
}: {
  readonly files: ReadonlyArray<string>
  readonly fresh: boolean
  readonly json: boolean
}): void {
  const { incrementalFile, mutate: targets } = JSON.parse(
    readFileSync(`${root}${configuration}`, "utf8")
  ) as Configuration
  for (const file of files) {
    if (!targets.includes(file))
      throw new UsageError(`${file} is not mutated${orNearest(file, targets)}; see ${configuration}`)
  }
  if (!existsSync(`${root}mutation/node_modules/.bin/stryker`)) run("npm", ["ci", "--prefix", "mutation"])
  const chosen = files.length === 0 ? targets : files
  const fingerprint = fingerprintOfSources()
  const scores = chosen.map((file, index) => {
    const store = `${root}.mutation/${file.replaceAll("/", "-")}.json`
    const known = fresh ? undefined : stored(store)
    process.stderr.write(`${file} (${index + 1} of ${chosen.length})\n`)
    if (known?.fingerprint === fingerprint) return known.score
    run("mutation/node_modules/.bin/stryker", ["run", configuration, "--mutate", file, "--force"])
    const report = JSON.parse(readFileSync(`${root}${incrementalFile}`, "utf8")) as Report
    const score = scoreOf({ files: { [file]: report.files[file]! } })[0]!
    writeFileSync(`${store}.new`, JSON.stringify({ fingerprint, score } satisfies Stored))
    renameSync(`${store}.new`, store)
    return score
  })
  const survivors = scores.flatMap((score) => score.survivors)
  const unexplained = survivors.filter((survivor) => !explanations.some((each) => explains(each, survivor)))
  const outdated = explanations.filter(
    (each) => chosen.includes(each.file) && !survivors.some((survivor) => explains(each, survivor))
  )
  if (json)
    process.stdout.write(`${JSON.stringify({ percent: percentOf(scores), scores, unexplained, outdated }, null, 2)}\n`)
  else process.stdout.write(screen(scores, unexplained, outdated))
  if (unexplained.length > 0 || outdated.length > 0) process.exitCode = 1
}

/** Undefined when there is none, or none that can be read. */
function stored(path: string): Stored | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Stored
  } catch {
    return undefined
  }
}

/** Of all that a test of core may depend on. */
function fingerprintOfSources(): string {
  const hash = createHash("sha256")
  const files = [
    "core",
    "sim",
    "adapters/postgres",
    "scenarios/propertySeed.ts",
    "mutation",
    "package-lock.json"
  ].flatMap((name) =>
    globSync(`${name}{,/**/*.{ts,json}}`, { cwd: root, exclude: (path) => path.endsWith("node_modules") })
  )
  for (const file of files.toSorted()) {
    if (statSync(`${root}${file}`).isFile())
      hash
        .update(`${file}\0`)
        .update(readFileSync(`${root}${file}`))
        .update("\0")
  }
  return hash.digest("hex")
}

/** What it says goes to standard error: standard output is for what was found. */
function run(command: string, args: ReadonlyArray<string>): void {
  const { error, signal, status } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] })
  if (status === 0) return
  process.stderr.write(`${command} ${args.join(" ")} ended with ${error?.message ?? signal ?? status}\n`)
  process.exit(1)
}

function screen(
  scores: ReadonlyArray<FileScore>,
  unexplained: ReadonlyArray<Survivor>,
  outdated: ReadonlyArray<Explanation>
): string {
  const width = Math.max(...scores.map(({ file }) => file.length))
  const row = (name: string, cells: ReadonlyArray<string | number>) =>
    `${name.padEnd(width)}${cells.map((cell) => String(cell).padStart(10)).join("")}`
  const sum = (of: (score: FileScore) => number) => scores.reduce((total, score) => total + of(score), 0)
  const cells = (all: ReadonlyArray<FileScore>) => [`${percentOf(all).toFixed(1)} %`]
  const lines = [
    row("", ["planted", "found", "by limit", "survived", "score"]),
    ...scores.map((score) =>
      row(score.file, [plantedIn(score), score.killed, score.timedOut, score.survivors.length, ...cells([score])])
    ),
    row("all", [
      sum(plantedIn),
      sum(({ killed }) => killed),
      sum(({ timedOut }) => timedOut),
      sum(({ survivors }) => survivors.length),
      ...cells(scores)
    ]),
    ""
  ]
  for (const { file, from, line, text, to } of unexplained) {
    lines.push(`${file}:${line} no test finds`, `  ${text}`, `  ${from}  ->  ${to}`)
  }
  for (const { file, text, to } of outdated) lines.push(`explained, but found or gone: ${file}: ${text}  ->  ${to}`)
  const explained = sum(({ survivors }) => survivors.length) - unexplained.length
  lines.push(`${unexplained.length} survivors unexplained, ${explained} explained in mutation/explanations.ts`)
  return `${lines.join("\n")}\n`
}

const code = await runCommand(mutate)
if (code !== undefined) process.exitCode = code
