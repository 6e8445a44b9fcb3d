/**
 * Scenarios as tests of vitest: seeds, or properties over plan, topology and workload. A failure comes back small and explained, with
 * the line that replays it; what is saved of it is replayed first the next time.
 *
 * `STORMGLASS_SEED=7` runs that seed alone (a property: draws from it; `random`: another one each time), `STORMGLASS_SEEDS=1000` or
 * `5000..5999` those instead of the test's own (a property: so many cases).
 */
import { existsSync } from "node:fs"
import * as fc from "fast-check"
import { it, type TestContext, type TestOptions } from "vitest"
import * as arbitraries from "../../scenarios/arbitraries.ts"
import { strategyNames, type StrategyName } from "../../sim/kernel/Schedule.ts"
import type { FaultKind } from "../../sim/nemesis/FaultKind.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"
import { RequestProblem } from "../../sim/run/Simulation.ts"
import { kindsRule } from "../../sim/outside/misuse.ts"
import { type DatabaseName, databaseNames } from "../../sim/storage/Databases.ts"
import { isScenario } from "../../sim/host/loadScenario.ts"
import { stand } from "../../sim/host/Trap.ts"
import { parseSeed, parseSeeds, UsageError } from "../cli/Usage.ts"
import { Hunt } from "./Hunt.ts"
import { frameOf, SimFailure } from "./SimFailure.ts"

// What modules take of the host that are imported after this one is trapped, too.
stand()

/** Besides vitest's own (`only`, `skip`, `tags`, …; `timeout` is 5 minutes here, and no run begins after it). */
export interface SimOptions extends TestOptions {
  /** Kinds of fault, instead of the scenario's own plan: drawn by the swarm, or by the property. */
  readonly kinds?: ReadonlyArray<FaultKind>
  /** How runnable fibers are picked. Default: random, with preemptions. */
  readonly strategy?: StrategyName
  /** What the database is. Default: the model. */
  readonly storage?: DatabaseName
  /** Of the host's time, for making a failure small; a quarter of it more for explaining. Default: 20,000. */
  readonly shrinkMillis?: number
  /**
   * The path of the file that exports the scenario, from the working directory: with it `stormglass replay` and `shrink` know the
   * scenario too, and without it the replay line is one of vitest.
   */
  readonly exportedBy?: string
}

export interface SimTestOptions extends SimOptions {
  /** How many, from 1 on, or a range: "5000..5999". Default: 20. */
  readonly seeds?: number | string
}

export interface SimPropertyOptions extends SimOptions {
  /** How many cases. Default: 25. */
  readonly runs?: number
  /** Of what decides a run. Default: `arbitraries.request`, over the kinds given. */
  readonly arbitrary?: fc.Arbitrary<RunRequest>
}

/** One test: the scenario holds for every seed. */
export const simTest = (name: string, scenario: Scenario, options: SimTestOptions = {}): void => {
  const { seeds = 20, storage, strategy = "random", ...rest } = options
  declare(name, scenario, rest, frameOf(simTest), async (hunt) => {
    requireKnown({ storage, strategy })
    for (const seed of seedsOf(seeds)) {
      const result = await hunt.run({ scenario: hunt.name, seed, strategy, ...(storage === "pglite" && { storage }) })
      if (isFailure(result.verdict)) await hunt.found(result, `STORMGLASS_SEED=${seed}`)
    }
    // Of one seed not everything can be wanted.
    if (asked.seed === undefined) await hunt.requireReached()
  })
}

/** One test: the scenario holds whatever the plan, the topology and the workload. */
export const simProperty = (name: string, scenario: Scenario, options: SimPropertyOptions = {}): void => {
  const { arbitrary, runs = 25, storage, strategy = "random", ...rest } = options
  declare(name, scenario, rest, frameOf(simProperty), async (hunt) => {
    requireKnown({ storage, strategy })
    const { numRuns, seed } = casesOf(runs)
    let failure: RunResult | undefined
    const requests = arbitrary ?? arbitraries.request(scenario, options.kinds ?? faultKinds)
    const property = fc.asyncProperty(requests, async (drawn) => {
      const result = await hunt.run({
        ...drawn,
        scenario: hunt.name,
        strategy,
        ...(storage === "pglite" && { storage })
      })
      if (isFailure(result.verdict)) failure = result
      return !isFailure(result.verdict)
    })
    // Ours makes the whole run small, and keeps the violation the same. With fast-check's own before it, of three planted bugs two
    // became another failure, and the third took more than twice the processor time and stayed larger.
    const details = await fc.check(property, { numRuns, seed, endOnFailure: true })
    if (failure !== undefined) await hunt.found(failure, `STORMGLASS_SEED=${seed}`)
    if (details.failed) throw details.errorInstance ?? new Error(fc.defaultReportMessage(details))
    await hunt.requireReached()
  })
}

function declare(
  name: string,
  scenario: Scenario,
  { exportedBy, kinds, shrinkMillis = 20_000, timeout = 300_000, ...rest }: Omit<SimOptions, "storage" | "strategy">,
  declaredAt: string,
  hunting: (hunt: Hunt) => Promise<void>
): void {
  // To vitest none is 0. What fails at the last moment is made small all the same.
  const timeoutMillis = timeout === 0 ? Infinity : timeout
  // eslint-disable-next-line vitest/expect-expect -- the scenario's invariants are what it asserts
  it(name, { timeout: timeoutMillis + 2 * shrinkMillis + graceMillis, ...rest }, async (context: TestContext) => {
    try {
      if (!isScenario(scenario)) throw new UsageError("it was given no scenario: give what Scenario.make returns")
      if (exportedBy !== undefined && !existsSync(exportedBy)) {
        throw new UsageError(`exportedBy "${exportedBy}": there is no such file in ${process.cwd()}`)
      }
      if (kinds !== undefined && !kindsRule.takes(kinds)) throw new UsageError(`kinds: ${kindsRule.give}`)
      const hunt = new Hunt({ scenario, kinds, shrinkMillis, timeoutMillis, exportedBy, declaredAt, context })
      // Whoever asks for one seed wants that one.
      const replayed = asked.seed === undefined ? await hunt.replaySaved() : undefined
      if (replayed !== undefined) {
        console.log(replayed)
        await context.annotate(replayed)
      }
      await hunting(hunt)
    } catch (error) {
      // What whoever wrote or started the test can mend: one line, at the test.
      const isMisuse = error instanceof UsageError || error instanceof RequestProblem
      throw isMisuse ? new SimFailure(error.message, declaredAt) : error
    }
  })
}

/** Tests in JavaScript are told what the others learn from the compiler. */
function requireKnown({ storage = "model", strategy }: { storage: DatabaseName | undefined; strategy: StrategyName }) {
  for (const [option, given, known] of [
    ["storage", storage, databaseNames],
    ["strategy", strategy, strategyNames]
  ] as const) {
    const names: ReadonlyArray<string> = known
    if (!names.includes(given)) throw new UsageError(`${option} "${given}": there is ${names.join(", ")}`)
  }
}

/** For a run that is under way when the time is over, and for telling. */
const graceMillis = 30_000

const asked = { seed: process.env["STORMGLASS_SEED"], seeds: process.env["STORMGLASS_SEEDS"] }

function seedsOf(seeds: number | string): ReadonlyArray<string> {
  if (asked.seed === "random") return [String(anyNumber())]
  if (asked.seed !== undefined) return [parseSeed("STORMGLASS_SEED", asked.seed)]
  return asked.seeds === undefined ? parseSeeds(String(seeds), "seeds") : parseSeeds(asked.seeds, "STORMGLASS_SEEDS")
}

/** The same cases on every run, so that a red build is red for its change. */
function casesOf(runs: number): { readonly numRuns: number; readonly seed: number } {
  const numRuns =
    asked.seeds === undefined
      ? parseSeeds(String(runs), "runs").length
      : parseSeeds(asked.seeds, "STORMGLASS_SEEDS").length
  if (asked.seed === "random") return { numRuns, seed: anyNumber() }
  const seed = Number(asked.seed ?? 1)
  if (Number.isSafeInteger(seed)) return { numRuns, seed }
  throw new UsageError(`STORMGLASS_SEED "${asked.seed}": a property draws from a whole number, as 7, or from "random"`)
}

function anyNumber(): number {
  return Math.floor(Math.random() * 2 ** 31)
}
