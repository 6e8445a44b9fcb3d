/**
 * The determinism gate: seeds of every scenario and strategy, twice in one process and again in a fresh one. Where digests
 * differ, the first fact that differs is shown.
 */
import { spawnSync } from "node:child_process"
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { RunRequest, RunResult } from "../../sim/run/Verdict.ts"
import { paint } from "./Output.ts"
import * as Session from "./Session.ts"
import { parseSeeds } from "./Usage.ts"

/** True when every run was the same every time, and none left the simulation. */
export const determinism = async (seeds: number): Promise<boolean> => {
  const requests = (["random", "fifo"] as const).flatMap((strategy) =>
    Session.requestsOf(Session.scenarioNames, parseSeeds(String(seeds)), { strategy })
  )
  const here = Session.supervise(undefined, 1)
  let differences = 0
  try {
    const first = await runAll(here, requests)
    // Backwards, so that no run has the same predecessor twice.
    const second = (await runAll(here, requests.toReversed())).toReversed()
    const fresh = freshDigests(seeds)
    for (const [index, request] of requests.entries()) {
      const result = first[index] as RunResult
      const digests = [result.digest, second[index]?.digest, fresh[index]]
      if (result.verdict._tag === "escaped") {
        differences++
        say("red", `${request.scenario}, seed ${request.seed}: escaped, ${result.verdict.api}\n${result.verdict.stack}`)
      } else if (new Set(digests).size > 1) {
        differences++
        say("red", `${request.scenario}, seed ${request.seed}, ${request.strategy}: digests ${digests.join(", ")}`)
        process.stdout.write(`${await firstDifference(request)}\n`)
      }
    }
  } finally {
    await here.close()
  }
  const runs = `${requests.length} runs, each twice in one process and once in a fresh one`
  if (differences === 0) say("green", `${runs}: every digest equal`)
  else say("red", `${runs}: ${differences} differ`)
  return differences === 0
}

const inChild = "STORMGLASS_DETERMINISM_CHILD"

async function runAll(supervisor: ReturnType<typeof Session.supervise>, requests: ReadonlyArray<RunRequest>) {
  const results: Array<RunResult> = []
  for (const request of requests) results.push((await supervisor.run(request)).result)
  return results
}

/** In a fresh process this prints the digests, one a line, instead of comparing them. */
export const printDigests = async (seeds: number): Promise<void> => {
  const requests = (["random", "fifo"] as const).flatMap((strategy) =>
    Session.requestsOf(Session.scenarioNames, parseSeeds(String(seeds)), { strategy })
  )
  const supervisor = Session.supervise(undefined, 1)
  const results = await runAll(supervisor, requests)
  await supervisor.close()
  process.stdout.write(results.map(({ digest }) => `${digest}\n`).join(""))
}

export const isChild = (): boolean => process.env[inChild] !== undefined

function freshDigests(seeds: number): ReadonlyArray<string> {
  const child = spawnSync(process.execPath, [process.argv[1] as string, "determinism", "--seeds", String(seeds)], {
    env: { ...process.env, [inChild]: "1" },
    encoding: "utf8",
    maxBuffer: 1 << 26
  })
  if (child.status !== 0) throw new Error(`the fresh process failed: ${child.stderr}`)
  return child.stdout.trim().split("\n")
}

async function firstDifference(request: RunRequest): Promise<string> {
  const [left, right] = [Session.supervise(undefined, 1), Session.supervise(undefined, 1)]
  try {
    const [one, other] = await Promise.all([left.run(request, true), right.run(request, true)])
    const index = one.facts.findIndex((fact, at) => JSON.stringify(fact) !== JSON.stringify(other.facts[at]))
    if (index < 0) return "  the facts are equal in two fresh workers: what ran before made the difference"
    const show = (fact: Envelope | undefined) => JSON.stringify(fact ?? "no fact")
    return `  the first fact that differs, ${index + 1}:\n    ${show(one.facts[index])}\n    ${show(other.facts[index])}`
  } finally {
    await Promise.all([left.close(), right.close()])
  }
}

function say(style: "red" | "green", text: string): void {
  process.stdout.write(`${paint(style, text)}\n`)
}
