/**
 * The determinism gate: seeds of every scenario and strategy, twice in one process and again in a fresh one. Where digests
 * differ, the first fact that differs is shown.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { RunRequest, RunResult } from "../../sim/run/Verdict.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import type { StrategyName } from "../../sim/kernel/Schedule.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import { inFreshProcess } from "./inFreshProcess.ts"
import { paint } from "./Output.ts"
import * as Session from "./Session.ts"
import { parseSeeds } from "./Usage.ts"

export interface Gate {
  readonly scenarios: ReadonlyArray<string>
  /** Of each scenario and strategy, as they are written: "20", "5..9". */
  readonly seeds: string
  readonly strategies: ReadonlyArray<StrategyName>
  readonly storage: DatabaseName
  /** As it was given, for the fresh process. */
  readonly patience: string | undefined
  readonly patienceMillis: number | undefined
}

/** True when every run was the same every time, and none left the simulation. */
export const determinism = async (gate: Gate): Promise<boolean> => {
  const requests = requestsOf(gate)
  const here = Session.supervise(undefined, 1, gate.patienceMillis)
  let differences = 0
  try {
    const twice = async () => {
      const first = await runAll(here, requests)
      // Backwards, so that no run has the same predecessor twice.
      return [first, (await runAll(here, requests.toReversed())).toReversed()] as const
    }
    const [[first, second], fresh] = await Promise.all([twice(), freshDigests(gate)])
    for (const [index, request] of requests.entries()) {
      const result = first[index] as RunResult
      const digests = [result.digest, second[index]?.digest, fresh[index]]
      if (result.verdict._tag === "escaped") {
        differences++
        say("red", `${request.scenario}, seed ${request.seed}: escaped, ${result.verdict.api}\n${result.verdict.stack}`)
      } else if (digests.includes("")) {
        differences++
        say("red", `${request.scenario}, seed ${request.seed}, ${request.strategy}: no digest, it gave no result`)
      } else if (new Set(digests).size > 1) {
        differences++
        say("red", `${request.scenario}, seed ${request.seed}, ${request.strategy}: digests ${digests.join(", ")}`)
        process.stdout.write(`${await firstDifference(here, request)}\n`)
      }
    }
  } finally {
    await here.close()
  }
  const runs = `${requests.length} runs, each twice in one process and once in a fresh one`
  if (differences === 0) say("green", `${runs}: every digest equal`)
  else say("red", `${runs}: ${differences} differ, left the simulation or gave no result`)
  return differences === 0
}

const inChild = "STORMGLASS_DETERMINISM_CHILD"

async function runAll(supervisor: Supervisor, requests: ReadonlyArray<RunRequest>) {
  const results: Array<RunResult> = []
  for (const request of requests) results.push((await supervisor.run(request)).result)
  return results
}

const requestsOf = ({ scenarios, seeds, storage, strategies }: Gate): ReadonlyArray<RunRequest> =>
  strategies.flatMap((strategy) => Session.requestsOf(scenarios, parseSeeds(seeds), { strategy, storage }))

/** In a fresh process this prints the digests, one a line, instead of comparing them. */
export const printDigests = async (gate: Gate): Promise<void> => {
  const requests = requestsOf(gate)
  const supervisor = Session.supervise(undefined, 1, gate.patienceMillis)
  try {
    const results = await runAll(supervisor, requests)
    process.stdout.write(results.map(({ digest }) => `${digest}\n`).join(""))
  } finally {
    await supervisor.close()
  }
}

export const isChild = (): boolean => process.env[inChild] !== undefined

async function freshDigests({ scenarios, seeds, storage, strategies, patience }: Gate): Promise<ReadonlyArray<string>> {
  const more = [
    ...(patience === undefined ? [] : ["--patience", patience]),
    ...(strategies.length === 1 ? ["--strategy", ...strategies] : [])
  ]
  const printed = await inFreshProcess(
    ["determinism", ...scenarios, "--seeds", seeds, "--storage", storage, ...more],
    [0],
    {
      [inChild]: "1"
    }
  )
  return printed.trim().split("\n")
}

/** Compares what the worker that has run everything else tells of the run with what a fresh process tells of it. */
async function firstDifference(worker: Supervisor, request: RunRequest): Promise<string> {
  const { scenario, seed, storage = "model", strategy } = request
  const directory = mkdtempSync(join(tmpdir(), "stormglass-"))
  try {
    const trace = join(directory, "facts.ndjson")
    const how = ["--seed", seed, "--strategy", strategy, "--storage", storage, "--trace", trace]
    await inFreshProcess(["replay", scenario, ...how], [0, 1])
    const fresh = readFileSync(trace, "utf8").split("\n").slice(0, -1)
    const { facts } = await worker.run(request, "facts")
    const used = facts.map((fact) => JSON.stringify(fact))
    const length = Math.max(fresh.length, used.length)
    const index = Array.from({ length }, (_, at) => at).find((at) => fresh[at] !== used[at])
    if (index === undefined) return "  and equal when it was run once more: what the facts do not show differs"
    const show = (text: string | undefined) => text ?? "no more facts"
    return [
      `  the first fact that differs is number ${index + 1}`,
      `    in a fresh process     ${show(fresh[index])}`,
      `    after the other runs   ${show(used[index])}`
    ].join("\n")
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function say(style: "red" | "green", text: string): void {
  process.stdout.write(`${paint(style, text)}\n`)
}
