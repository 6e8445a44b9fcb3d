/**
 * What one test does about a failure: looks for a saved one and replays it, runs what it is given in this thread, and makes what
 * fails small, saves it and tells it.
 *
 * - V1 A saved failure belongs to the test of that name over the scenario of that name: both are in the name of its file.
 * - V2 Between two runs the host's loop turns, so that time-outs, cancelling and whoever watches are heard.
 * - V3 Nothing that was saved is deleted. It is overwritten only by the next failure of the same test.
 */
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import path from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { isDeepStrictEqual, styleText } from "node:util"
import type { TestContext } from "vitest"
import type { Envelope } from "../../core/facts/Envelope.ts"
import * as FailureFile from "../../reports/FailureFile.ts"
import * as FailureScreen from "../../reports/FailureScreen.ts"
import { saveFailure } from "../../reports/saveFailure.ts"
import { vitestLine } from "../../reports/vitestLine.ts"
import { catalogue } from "../../scenarios/catalogue.ts"
import { runApart } from "../../sim/host/runHere.ts"
import { shrinkAndExplain } from "../../sim/host/shrinkFailure.ts"
import type { FaultKind } from "../../sim/nemesis/FaultKind.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import * as Swarm from "../../sim/nemesis/Swarm.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import type { AskFailed } from "../../sim/outside/OutsideResource.ts"
import { RequestProblem } from "../../sim/run/Simulation.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"
import type { Databases } from "../../sim/storage/Databases.ts"
import { UsageError } from "../cli/Usage.ts"
import { SimFailure } from "./SimFailure.ts"

export interface HuntOptions {
  readonly scenario: Scenario
  /** Whose faults the swarm draws, instead of the scenario's own plan. */
  readonly kinds: ReadonlyArray<FaultKind> | undefined
  readonly shrinkMillis: number
  /** No run begins after this much host time; what has failed by then is still made small. */
  readonly timeoutMillis: number
  /** The path of the file that exports the scenario, if one does. */
  readonly exportedBy: string | undefined
  /** The line that declares the test, as a frame of a stack. */
  readonly declaredAt: string
  readonly context: TestContext
}

/** Where a failure comes from: the variables that draw it again, or the file. */
interface Origin {
  readonly variables?: string
  readonly saved?: FailureFile.FailureFile
  readonly note?: string
}

export class Hunt {
  /** How a request names the scenario. */
  readonly name: string
  readonly #options: HuntOptions
  /** With the faults that the test draws. */
  readonly #scenario: Scenario
  readonly #kinds: ReadonlyArray<FaultKind>
  readonly #started = performance.now()
  #runs = 0
  #last: RunRequest | undefined
  /** Of the marks that must be reached, those that no run has. */
  readonly #unreached: Set<string>
  /** PGlite, since a run has asked for it. */
  #databases: Databases | undefined
  /** The test, for vitest's own command line. */
  readonly #test: { readonly file: string; readonly name: string }

  constructor(options: HuntOptions) {
    this.#options = options
    const { context, exportedBy, kinds, scenario } = options
    this.name = exportedBy ?? scenario.name
    this.#unreached = new Set(scenario.marks.filter(({ kind }) => kind === "reachable").map(({ name }) => name))
    const safetyMicros = scenario.safetyMillis * 1_000
    this.#scenario =
      kinds === undefined
        ? scenario
        : { ...scenario, faults: (draw, world) => Swarm.draw(draw, world, { kinds, safetyMicros }) }
    this.#kinds = [...new Set([...faultKinds, ...(kinds ?? [])])]
    const { file, fullTestName = context.task.name } = context.task
    this.#test = { file: path.relative(process.cwd(), file.filepath), name: fullTestName }
  }

  /** Throws the failure that is saved of this test, if it still is one; resolves with what became of it otherwise, if there is one. */
  async replaySaved(): Promise<string | undefined> {
    const file = this.#file
    if (!existsSync(file)) return undefined
    let saved: FailureFile.FailureFile
    try {
      saved = FailureFile.parse(readFileSync(file, "utf8"))
    } catch (error) {
      return `${file} is left alone, it is no failure file: ${(error as Error).message}`
    }
    let result: RunResult
    try {
      result = await this.run({ ...FailureFile.requestOf(saved), scenario: this.name })
    } catch (error) {
      if (error instanceof RequestProblem) return `${file} is left alone, it does not fit any more: ${error.message}`
      throw error
    }
    if (isFailure(result.verdict)) {
      const isSame = result.digest === saved.digest
      const digests = `digest ${result.digest}, ${isSame ? "equal" : `was ${saved.digest}`}`
      throw await this.#small(result, { saved, note: `  replayed from ${file}: ${digests}` })
    }
    return `${file} passes now`
  }

  /** Rejects with `RequestProblem` when the request does not fit its world, and when the time is over or the test was ended meanwhile. */
  async run(request: RunRequest): Promise<RunResult> {
    const { context, declaredAt, timeoutMillis } = this.#options
    await turn()
    context.signal.throwIfAborted()
    if (performance.now() - this.#started >= timeoutMillis) {
      const passed = `after ${timeoutMillis / 1_000} s no further run begins, ${this.#runs} passed`
      throw new SimFailure(`${passed}: ask for fewer, or give the test a longer timeout`, declaredAt)
    }
    if (request.storage === "pglite") this.#databases ??= await booted()
    const result = await this.#here(request)
    this.#runs++
    this.#last = request
    for (const [name, { visits }] of Object.entries(result.marks)) if (visits > 0) this.#unreached.delete(name)
    return result
  }

  /** Throws where what must be reached was reached by none of the runs: that all of them passed says nothing then. */
  async requireReached(): Promise<void> {
    const [mark] = this.#unreached
    if (mark === undefined || this.#last === undefined) return
    const facts: Array<Envelope> = []
    await this.#here(this.#last, facts)
    const ended = facts.flatMap(({ atMicros, fact, node }) => {
      const { errors = [] } = fact as { readonly errors?: ReadonlyArray<string> }
      const after = `${node} ended after ${atMicros / 1_000_000} s`
      return fact._tag === "NodeExited" && errors.length > 0 ? [`${after}: ${errors.join("; ")}`] : []
    })
    const isAnswered = facts.some(({ fact }) => fact._tag === "Answered")
    const refused = facts.flatMap(({ atMicros, fact, node }) => {
      if (!isAskFailed(fact) || isAnswered) return []
      return [`${node} asked for ${fact.message} in vain, after ${atMicros / 1_000_000} s: ${fact.because.join("; ")}`]
    })
    const why = ended[0] ?? refused[0] ?? "does what the nodes run come up, and is it asked?"
    throw new SimFailure(`in none of ${this.#runs} runs ${mark}: ${why}`, this.#options.declaredAt)
  }

  /** Throws the failure, small. Without a file that it came from, variables of the environment find it again: "STORMGLASS_SEED=7". */
  async found(failure: RunResult, variables: string): Promise<never> {
    throw await this.#small(failure, { variables })
  }

  async #small(failure: RunResult, { note, saved: before, variables }: Origin): Promise<SimFailure> {
    const { context, declaredAt, shrinkMillis } = this.#options
    const isStopped = () => context.signal.aborted
    const run = async (request: RunRequest) => {
      await turn()
      try {
        return await this.#here(request)
      } catch (error) {
        if (error instanceof RequestProblem) return undefined
        throw error
      }
    }
    const { needs, ...shrunk } = await shrinkAndExplain(run, failure, { budgetMillis: shrinkMillis, isStopped })
    const isExported = await this.#isExported()
    const saved = isSaved(shrunk.best, before)
      ? { file: this.#file }
      : saveFailure(shrunk.best, this.#file, {
          test: isExported ? undefined : this.#test,
          mutant: planted === undefined ? undefined : (await import("../cli/Session.ts")).findMutant(planted)
        })
    const again = vitestLine(this.#test.file, this.#test.name)
    const origin = [...environment, ...(variables === undefined ? [] : [variables]), again].join(" ")
    const replay =
      saved.file === undefined
        ? origin
        : isExported
          ? `npx stormglass replay ${saved.file}`
          : [...environment, again].join(" ")
    const facts: Array<Envelope> = []
    const repeated = await this.#here(shrunk.best.request, facts)
    const screen = FailureScreen.render({
      result: shrunk.best,
      facts,
      replay,
      file: saved.file,
      explained: { ...shrunk, needs, origin: variables === undefined ? replay : origin },
      paint
    })
    return new SimFailure(
      [
        screen,
        ...(note === undefined ? [] : [note]),
        ...(saved.problem === undefined ? [] : [`not saved: ${saved.problem}`]),
        ...(repeated.digest === shrunk.best.digest
          ? []
          : ["DIGEST DIFFERS when run again: this run is not deterministic"])
      ].join("\n"),
      declaredAt
    )
  }

  #here(request: RunRequest, facts?: Array<Envelope>): Promise<RunResult> {
    return runApart(this.#scenario, request, {
      kinds: this.#kinds,
      ...(request.storage === "pglite" && this.#databases !== undefined ? { databases: this.#databases } : {}),
      ...(facts === undefined ? {} : { onFact: (envelope: Envelope) => facts.push(envelope) })
    })
  }

  /** Whether the command line finds this very scenario, and not another one of its name. */
  async #isExported(): Promise<boolean> {
    const { exportedBy, scenario } = this.#options
    if (exportedBy !== undefined) return true
    const entry = catalogue.find(({ name }) => name === scenario.name)
    return entry !== undefined && (await entry.load()) === scenario
  }

  get #file(): string {
    return failurePath(this.name, this.#test.name, planted)
  }
}

const isAskFailed = (fact: Envelope["fact"]): fact is AskFailed => fact._tag === "AskFailed"

async function booted(): Promise<Databases> {
  try {
    return await (await import("../cli/bootPglite.ts")).boot()
  } catch (error) {
    // In the words of Node, or of Vite.
    const [told] = /(?:Cannot find package|Could not resolve) ["']@electric-sql\/pglite["'].*/.exec(String(error)) ?? []
    if (told === undefined) throw error
    throw new UsageError(`storage: "pglite" of the test needs the package @electric-sql/pglite: ${told}`)
  }
}

/** Whether nothing has become smaller or different since. */
function isSaved({ digest, request }: RunResult, saved: FailureFile.FailureFile | undefined): boolean {
  if (saved?.digest !== digest) return false
  return isDeepStrictEqual({ ...request }, { ...FailureFile.requestOf(saved), scenario: request.scenario })
}

/** A planted bug (`mutantPlugin.ts`) finds failures that are none without it. */
const planted = process.env["STORMGLASS_MUTANT"]
const environment = planted === undefined ? [] : [`STORMGLASS_MUTANT=${planted}`]

/** The runner paints the first line red, and the rest too unless it is told to stop. */
const isTerminal = process.env["FORCE_TTY"] === "true" && process.env["NO_COLOR"] === undefined
const paint: FailureScreen.ScreenOptions["paint"] = (style, text) => {
  if (!isTerminal) return text
  return style === "red" ? `${text}\u001B[0m` : styleText(style, text, { validateStream: false })
}

/** Readable as far as it goes; the hash tells apart what is shortened to the same. */
export const failurePath = (scenario: string, test: string, mutant: string | undefined): string => {
  const parts = [scenario.replace(/\.\w+(?=#|$)/, ""), test, ...(mutant === undefined ? [] : [mutant])]
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 6)
  const slugs = parts.map((part) =>
    part
      .replaceAll(/[^\w]+/g, "-")
      .replaceAll(/^-|-$/g, "")
      .slice(0, 48)
  )
  return `failures/${[...slugs, hash].join("-")}-small.json`
}
