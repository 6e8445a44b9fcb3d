/**
 * Runs requests in worker threads and watches over them: a run that does not come back is ended, and has a verdict.
 *
 * - V1 Results do not depend on the number of workers, nor on who ran what before.
 * - V2 Nothing hangs: a request has a bound of host time, and a worker that exceeds it is replaced (if others had most of the processor, up to
 *   five times later); so is one that dies idle.
 */
import { Worker } from "node:worker_threads"
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { ChoicePoint } from "../kernel/ChoicePoint.ts"
import type { RunRequest, RunResult, Verdict } from "../run/Verdict.ts"
import type { Wants } from "../search/Search.ts"
import { afterRunning } from "./afterRunning.ts"
import { cpuShare, isStarved } from "./cpuShare.ts"
import * as Breadcrumb from "./Breadcrumb.ts"
import { endedEarly } from "./endedEarly.ts"
import { whereIs } from "./Hang.ts"
import type { MutantEdits } from "./installMutant.ts"
import type { OtherVersion } from "./installVersions.ts"
import { zone } from "./zone.ts"
import type { WorkerData, WorkerRequest, WorkerResponse } from "./worker.ts"

export interface SupervisorOptions {
  readonly catalogue: URL
  readonly mutant: MutantEdits | undefined
  /** Versions of packages that the runs take place on, where they are others than those that are installed under their names. */
  readonly versions?: ReadonlyArray<OtherVersion>
  /** The module whose `boot` gives the databases of runs that ask for another than the model. */
  readonly databases?: URL
  readonly jobs: number
  /** Host time for one run, the import of its scenario included, and not the time in which a thread comes up. */
  readonly runMillisMax: number
}

/** A request that names what does not exist or does not load, or a mutant that does not fit. */
export class Refused extends Error {
  override readonly name = "Refused"
}

export interface Outcome {
  readonly result: RunResult
  /** Every fact of the run, if they were asked for. */
  readonly facts: ReadonlyArray<Envelope>
  /** Where it could have gone another way, if that was asked for. */
  readonly choicePoints: ReadonlyArray<ChoicePoint>
  /** What it reached, if that was asked for. */
  readonly features: ReadonlyArray<number>
  /** What the run took of the host's time: a worker that comes up first is not counted, unless the run never came back. */
  readonly hostMillis: number
}

interface Job {
  readonly request: RunRequest
  readonly wants: Wants
  readonly done: (outcome: Outcome) => void
  readonly failed: (error: Error) => void
}

/** How long a worker was waited for already. */
interface Waited {
  /** For its thread to come up. */
  readonly bootMillis: number
  /** Beyond the patience with its run, because others had the processor. */
  readonly times: number
}

/** On a busy machine a thread takes seconds to load what it runs with. */
const bootMillisMax = 60_000

const workerUrl = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #queue: Array<Job> = []
  readonly #idle: Array<Worker> = []
  readonly #workers = new Set<Worker>()
  readonly #breadcrumbs = new Map<Worker, SharedArrayBuffer>()
  readonly #running = new Map<
    Worker,
    { readonly job: Job; readonly sinceMillis: number; readonly endWatch: () => void }
  >()
  #busy = 0
  #ids = 0
  #isClosed = false

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Rejects with `Refused` for a mistake of the caller, and when it is closed meanwhile; everything else is a verdict. */
  run(request: RunRequest, wants: Wants = "result"): Promise<Outcome> {
    return new Promise((done, failed) => {
      this.#queue.push({ request, wants, done, failed })
      this.#next()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#queue.length = 0
    await Promise.all([...this.#workers].map((worker) => worker.terminate()))
  }

  #next(): void {
    while (!this.#isClosed && this.#busy < this.#options.jobs) {
      const job = this.#queue.shift()
      if (job === undefined) return
      this.#busy++
      this.#start(this.#idle.pop() ?? this.#spawn(), job)
    }
  }

  #spawn(): Worker {
    const { catalogue, databases, mutant, versions = [] } = this.#options
    const breadcrumb = Breadcrumb.make()
    const data: WorkerData = { catalogue: catalogue.href, databases: databases?.href, mutant, versions, breadcrumb }
    // A worker has the zone of its process, and cannot set its own.
    process.env["TZ"] = zone
    const worker = new Worker(workerUrl, { workerData: data })
    this.#workers.add(worker)
    this.#breadcrumbs.set(worker, breadcrumb)
    worker.on("message", (response: WorkerResponse) => {
      const { job } = this.#end(worker) ?? {}
      this.#idle.push(worker)
      if (response._tag === "Result") job?.done(response)
      else job?.failed(new Refused(response.message))
      this.#next()
    })
    worker.on("error", (error) => {
      this.#lose(worker, crashed(error instanceof Error ? (error.stack ?? error.message) : String(error)))
    })
    worker.on("exit", (code) => {
      const scenario = this.#running.get(worker)?.job.request.scenario
      const isLoading = Breadcrumb.read(breadcrumb).isLoading && scenario !== undefined
      const cause = `its thread ended with ${code}`
      this.#lose(worker, isLoading ? new Refused(`${scenario} does not load: ${cause}`) : crashed(cause))
    })
    return worker
  }

  #start(worker: Worker, job: Job): void {
    this.#watch(worker, job, performance.now(), { bootMillis: 0, times: 0 })
    worker.postMessage({ id: this.#ids++, request: job.request, wants: job.wants } satisfies WorkerRequest)
  }

  #watch(worker: Worker, job: Job, sinceMillis: number, waited: Waited): void {
    const { runMillisMax } = this.#options
    const endWatch = afterRunning(runMillisMax, () => {
      const { isBooting } = Breadcrumb.read(this.#breadcrumbs.get(worker) ?? Breadcrumb.make())
      const bootMillis = waited.bootMillis + runMillisMax
      if (isBooting && waited.bootMillis < bootMillisMax) {
        this.#watch(worker, job, sinceMillis, { ...waited, bootMillis })
      } else void this.#hangs(worker, waited)
    })
    this.#running.set(worker, { job, sinceMillis, endWatch })
  }

  /** Ends a worker that does not come back, and says where it was; unless it is only the machine that is busy. */
  async #hangs(worker: Worker, waited: Waited): Promise<void> {
    const running = this.#running.get(worker)
    const share = await cpuShare(worker)
    if (running === undefined || share === undefined || this.#running.get(worker) !== running) return
    if (isStarved(share, waited.times)) {
      return this.#watch(worker, running.job, running.sinceMillis, { ...waited, times: waited.times + 1 })
    }
    const where = await whereIs(worker)
    // It may have come back while it was looked at.
    if (this.#running.get(worker) !== running) return
    const { atMicros, isLoading, node } = Breadcrumb.read(this.#breadcrumbs.get(worker) ?? Breadcrumb.make())
    const seconds = this.#options.runMillisMax / 1_000
    if (isLoading) {
      const what = where === undefined ? "does a top-level await never settle?" : `it was in ${where}`
      return this.#lose(
        worker,
        new Refused(`${running.job.request.scenario} did not load within ${seconds} s: ${what}`)
      )
    }
    const who = node === undefined ? "the scenario, an invariant or the simulator" : `a task of ${node}`
    const reason = `${who} did not return within ${seconds} s of host time${where === undefined ? "" : `: it was in ${where}`}`
    this.#lose(worker, { _tag: "stalled", reason, waiting: [], atMicros })
  }

  /** The worker has done with its job, which is returned. */
  #end(worker: Worker): { readonly job: Job; readonly sinceMillis: number } | undefined {
    const running = this.#running.get(worker)
    if (running === undefined) return undefined
    running.endWatch()
    this.#running.delete(worker)
    this.#busy--
    return running
  }

  /** The worker is not to be used again; its job, if it had one, ends with this verdict, or is refused. */
  #lose(worker: Worker, verdict: Verdict | Refused): void {
    // An error is followed by the thread's end.
    if (!this.#workers.delete(worker)) return
    const { job, sinceMillis = 0 } = this.#end(worker) ?? {}
    this.#breadcrumbs.delete(worker)
    const index = this.#idle.indexOf(worker)
    if (index >= 0) this.#idle.splice(index, 1)
    void worker.terminate()
    // Whoever ends it has no verdict of what was under way.
    if (this.#isClosed) job?.failed(new Error("the supervisor was closed"))
    else if (verdict instanceof Refused) job?.failed(verdict)
    else if (job !== undefined) {
      job.done({
        result: endedEarly(job.request, verdict),
        facts: [],
        choicePoints: [],
        features: [],
        hostMillis: performance.now() - sinceMillis
      })
    } else if (verdict._tag === "crashed") {
      // No run is to blame for certain, and it must not go unsaid.
      process.emitWarning(`a worker thread ended between two runs, and was replaced: ${verdict.cause}`)
    }
    this.#next()
  }
}

function crashed(cause: string): Verdict {
  return { _tag: "crashed", node: "the simulator", cause, atMicros: 0 }
}
