/**
 * One worker thread: runs the requests that it is sent, one at a time, and answers each with its result. Scenarios are
 * loaded by name from the catalogue module that the supervisor names.
 *
 * - W1 Whatever a scenario throws is a verdict of its own run, also through a promise that nobody awaits.
 * - W2 A mutant's files are loaded before anything runs, so that every worker reports on every edit.
 */
import "./withoutAsyncHooks.ts"
import { parentPort, workerData } from "node:worker_threads"
import type * as FaultKinds from "../nemesis/faultKinds.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { ChoicePoint } from "../kernel/ChoicePoint.ts"
import type { Databases } from "../storage/Databases.ts"
import type * as Simulation from "../run/Simulation.ts"
import type * as RunHere from "./runHere.ts"
import type { Scenario } from "../run/Scenario.ts"
import { isFailure, type RunRequest, type RunResult, type Verdict } from "../run/Verdict.ts"
import { Features } from "../search/Features.ts"
import type { Wants } from "../search/Search.ts"
import * as Breadcrumb from "./Breadcrumb.ts"
import { causeOf } from "./causeOf.ts"
import { installMutant, type MutantEdits, notAppliedOnce, urlOf } from "./installMutant.ts"
import { installVersions, lackedSince, type OtherVersion } from "./installVersions.ts"
import { endedEarly } from "./endedEarly.ts"
import { type Entry, loadScenario, NoScenario } from "./loadScenario.ts"
import { pinHashes } from "./Trap.ts"
import { verdictOf } from "./verdictOf.ts"

export interface WorkerData {
  /** URL of a module that exports `catalogue: [{ name, load }]`, and `faultKinds` if it has some of its own. */
  readonly catalogue: string
  readonly mutant: MutantEdits | undefined
  /** In place of what is installed. */
  readonly versions: ReadonlyArray<OtherVersion>
  /** URL of a module that exports `boot`, for runs whose database is another than the model. */
  readonly databases: string | undefined
  /** Where this thread writes how far it is. */
  readonly breadcrumb: SharedArrayBuffer
}

export interface WorkerRequest {
  readonly id: number
  readonly request: RunRequest
  /** Unless more than the result is asked for, what only failures are asked for is left out of a success. */
  readonly wants: Wants
}

export type WorkerResponse =
  | {
      readonly _tag: "Result"
      readonly id: number
      readonly result: RunResult
      readonly facts: ReadonlyArray<Envelope>
      readonly choicePoints: ReadonlyArray<ChoicePoint>
      readonly features: ReadonlyArray<number>
      /** The import of the scenario included, and not what comes before it. */
      readonly hostMillis: number
    }
  /** What the request names does not exist, or the mutant does not fit: a mistake of the caller. */
  | { readonly _tag: "Refused"; readonly id: number; readonly message: string }

interface Loaded {
  readonly scenarios: ReadonlyArray<Entry>
  readonly runApart: typeof RunHere.runApart
  readonly RequestProblem: typeof Simulation.RequestProblem
  readonly kinds: ReadonlyArray<FaultKind>
}

interface CatalogueModule {
  readonly catalogue: Loaded["scenarios"]
  readonly faultKinds?: ReadonlyArray<FaultKind>
}

interface DatabasesModule {
  readonly boot: () => Promise<Databases>
}

/** A mistake of the caller. */
class RefusedRequest extends Error {}

const { breadcrumb, catalogue, databases, mutant, versions } = workerData as WorkerData
pinHashes()
installVersions(versions)
if (mutant !== undefined) installMutant(mutant)
const loading = load()

/** What was rejected while nobody listened, since the last run began. */
let rejections: Array<unknown> = []
process.on("unhandledRejection", (reason) => rejections.push(reason))

parentPort?.on("message", (message: WorkerRequest) => {
  void answer(message).then((response) => parentPort?.postMessage(response))
})

async function load(): Promise<Loaded> {
  if (mutant !== undefined) await loadMutated(mutant)
  const [module, { RequestProblem }, { runApart }, { faultKinds }] = await Promise.all([
    import(catalogue) as Promise<CatalogueModule>,
    import("../run/Simulation.ts"),
    import("./runHere.ts"),
    import("../nemesis/faultKinds.ts") as Promise<typeof FaultKinds>
  ])
  return { scenarios: module.catalogue, runApart, RequestProblem, kinds: [...faultKinds, ...(module.faultKinds ?? [])] }
}

/** What does not load on another version than the installed is no failure of the program that was asked for. */
async function loadOn(name: string, scenarios: ReadonlyArray<Entry>): Promise<Scenario> {
  try {
    return await loadScenario(name, scenarios)
  } catch (error) {
    if (versions.length === 0) throw error
    const on = versions.map((other) => `${other.name} ${other.version}`).join(", ")
    throw new RefusedRequest(
      `on ${on}: ${error instanceof NoScenario ? "" : `${name} does not load: `}${messageOf(error)}`
    )
  }
}

/** Booted once, before the first run that asks for it. */
let booted: Promise<Databases> | undefined
function pglite(): Promise<Databases> {
  return (booted ??= boot())
}

async function boot(): Promise<Databases> {
  if (databases === undefined) throw new RefusedRequest("--storage pglite: whoever started this run has none")
  try {
    return await ((await import(databases)) as DatabasesModule).boot()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error
    throw new RefusedRequest(`--storage pglite needs the package @electric-sql/pglite: ${messageOf(error)}`)
  }
}

async function loadMutated(planted: MutantEdits): Promise<void> {
  try {
    for (const { file } of planted.edits) await import(urlOf(file))
  } catch (error) {
    throw new RefusedRequest(`mutant ${planted.name} does not load: ${messageOf(error)}`)
  }
  const unfit = notAppliedOnce(planted)
  if (unfit !== undefined) throw new RefusedRequest(unfit)
}

async function answer({ id, request, wants }: WorkerRequest): Promise<WorkerResponse> {
  const facts: Array<Envelope> = []
  const choicePoints: Array<ChoicePoint> = []
  const features = new Features()
  let sinceMillis = performance.now()
  rejections = []
  try {
    const { RequestProblem, kinds, runApart, scenarios } = await loading
    Breadcrumb.load(breadcrumb)
    sinceMillis = performance.now()
    const scenario = await loadOn(request.scenario, scenarios)
    try {
      const databases = request.storage === "pglite" ? { databases: await pglite() } : {}
      const result = await runApart(scenario, request, {
        kinds,
        ...databases,
        onWorld: (built) => {
          Breadcrumb.follow(built, breadcrumb)
          if (wants === "features") built.subscribe((envelope) => features.hear(envelope))
        },
        ...(wants === "choice points" ? { onChoicePoint: (point: ChoicePoint) => choicePoints.push(point) } : {}),
        ...(wants === "facts" ? { onFact: (envelope: Envelope) => facts.push(envelope) } : {})
      })
      await settled()
      const lacked = lackedSince()
      if (lacked !== undefined) throw new RefusedRequest(lacked)
      const verdict = afterwards(result)
      return {
        _tag: "Result",
        id,
        result: wants === "result" ? shortened({ ...result, verdict }) : { ...result, verdict },
        facts,
        choicePoints,
        features: features.hashes,
        hostMillis: performance.now() - sinceMillis
      }
    } catch (error) {
      if (error instanceof RequestProblem) throw new RefusedRequest(error.message)
      throw error
    }
  } catch (error) {
    if (error instanceof RefusedRequest || error instanceof NoScenario)
      return { _tag: "Refused", id, message: error.message }
    const result = endedEarly(request, verdictOf(error))
    return {
      _tag: "Result",
      id,
      result,
      facts,
      choicePoints,
      features: features.hashes,
      hostMillis: performance.now() - sinceMillis
    }
  }
}

/** A rejection that nobody handled is known to the host only after a turn of its loop. */
async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** The verdict, given what a passed run left behind in promises of the host. */
function afterwards({ verdict, virtualMicros }: RunResult): Verdict {
  if (isFailure(verdict) || rejections.length === 0) return verdict
  const cause = `a promise was rejected, and nobody awaited it: ${causeOf(rejections[0])}`
  return { _tag: "crashed", node: "the program", cause, atMicros: virtualMicros }
}

/** A sweep keeps thousands of these: what is asked only of failures stays here. */
function shortened(result: RunResult): RunResult {
  if (isFailure(result.verdict)) return result
  return { ...result, plan: undefined, pinned: undefined, strikes: [], operations: [], preemptions: [], acted: [] }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n").join(" ")
}
