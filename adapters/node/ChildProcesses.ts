/**
 * `Provider` of one host: each instance is a process, started from a command, that outlives whoever started it.
 *
 * - C1 What is wanted is on disk before a process is started, and its number and start time right after it: a later process of this
 *   adapter finds again what runs. One that died in between is found by the uid in its environment (Linux).
 * - C2 A process whose number was given to another is not taken for it: the start time, as the system tells it, is compared.
 * - C3 What has ended is shown as failed until its end is asked for; nothing is started twice.
 * - C4 An end is asked for with SIGTERM to the whole process group, and after `killAfterMillis` with SIGKILL.
 * - C5 It runs when its process has lived for `startMillis`; what ended before that was only starting. What an earlier process of this
 *   adapter has started runs.
 * - C6 Who ends without having been asked to is told of once, with how it ended, and what it wrote last is kept (`FailedOutput.ts`).
 */
import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { instanceStartMillis } from "../../core/Limits.ts"
import { type Observation, Provider, ProviderError, ProviderUnavailable, type Spec } from "../../core/ports/Provider.ts"
import { keepOutput } from "./FailedOutput.ts"
import { commandOf, environmentOf } from "./InstanceCommand.ts"
import { isAlive, processOfInstance, startTimeOf } from "./processTable.ts"

export interface Options {
  /** Of this agent alone; made when it is not there. */
  readonly directory: string
  /** A template: `{uid}`, `{image}` and `{size}` are replaced in each word. */
  readonly command: ReadonlyArray<string>
  /** Default 5 s. */
  readonly killAfterMillis?: number
  /** How long a process must have lived to run. Default `instanceStartMillis`. */
  readonly startMillis?: number
}

/** What happens between two calls. */
interface Events {
  /** An instance may look otherwise than before. */
  readonly onChange: () => void
  /** In words: which, how it ended, and what it wrote. */
  readonly onFailed: (message: string) => void
  /** A timer that keeps no process from ending. */
  readonly later: (millis: number, then: () => void) => void
}

/** One file for each instance, `<uid>.json`. */
interface Recorded {
  readonly uid: string
  /** Null from before its start until its number is known. */
  readonly pid: number | null
  readonly startTime: string | null
  /** Its end was asked for. */
  readonly isStopping?: boolean
  /** How it ended, once that was told. */
  readonly end?: string
}

/** One that this very process has started, and whose end it has not heard of. */
interface Child {
  readonly process: ChildProcess
  isStarting: boolean
}

const killAfterMillisDefault = 5_000
/** Of one that could not be started: it need not be looked for. */
const noProcess = 0
const endUnknown = "its process is gone, and how it ended is not known, as it was no child of this agent's process"

/** Dies when the directory cannot be made. */
export const layer = (options: Options): Layer.Layer<Provider> => Layer.effect(Provider, makeProvider(options))

const makeProvider = (options: Options) =>
  Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const changed = yield* Latch.make()
    const host = new ChildProcesses(options, {
      onChange: () => changed.openUnsafe(),
      onFailed: (message) => run(Effect.logWarning(message)),
      later: (millis, then) => setTimeout(then, millis).unref()
    })
    const call = <A>(name: ProviderError["call"], body: () => A): Effect.Effect<A, ProviderError> =>
      Effect.try({
        try: body,
        catch: (error) =>
          new ProviderError({ call: name, reason: new ProviderUnavailable({ detail: (error as Error).message }) })
      })
    return Provider.of({
      start: (uid, spec) => call("start", () => host.start(uid, spec)),
      stop: (uid) => call("stop", () => host.stop(uid)),
      observe: (uid) => call("observe", () => host.observe(uid)),
      list: call("list", () => host.list()),
      changed: Effect.andThen(changed.await, changed.close)
    })
  })

/** The host, for one of its lives. Without `events` it only looks and stops: it says nothing of what failed, and keeps none of it. */
export class ChildProcesses {
  readonly #options: Options
  readonly #events: Events | undefined
  readonly #children = new Map<string, Child>()
  /** Since when the end of each was asked for, on the monotonic clock. */
  readonly #stopping = new Map<string, number>()
  /** Those of whose end was told, written down or not. */
  readonly #told = new Set<string>()

  constructor(options: Options, events?: Events) {
    this.#options = options
    this.#events = events
    fs.mkdirSync(options.directory, { recursive: true, mode: 0o700 })
  }

  start(uid: string, spec: Spec): void {
    if (this.#read(uid) !== undefined) return
    this.#write({ uid, pid: null, startTime: null })
    const [command, ...parameters] = commandOf(this.#options.command, { uid, ...spec })
    const log = fs.openSync(this.#path(uid, "log"), "a", 0o600)
    try {
      const child = spawn(command as string, parameters, {
        detached: true,
        stdio: ["ignore", log, log],
        env: { ...inherited(), ...environmentOf({ uid, ...spec }) }
      })
      child.unref()
      const pid = child.pid ?? noProcess
      this.#follow(child, uid)
      this.#write({ uid, pid, startTime: startTimeOf(pid) ?? null })
    } finally {
      fs.closeSync(log)
    }
  }

  /** Asks again with every call, so that whoever repeats it comes to an end. */
  stop(uid: string): void {
    const recorded = this.#read(uid)
    if (recorded === undefined) return
    const pid = this.#alive(recorded)
    if (pid === undefined) {
      this.#tellUnheard(uid)
      this.#forget(uid)
      return
    }
    const askedMillis = this.#stopping.get(uid)
    if (askedMillis === undefined) this.#stopping.set(uid, performance.now())
    const isOverdue =
      askedMillis !== undefined &&
      performance.now() - askedMillis > (this.#options.killAfterMillis ?? killAfterMillisDefault)
    if (askedMillis === undefined || isOverdue) signalGroup(pid, isOverdue ? "SIGKILL" : "SIGTERM")
    // After the signal: a full disk keeps nobody alive.
    if (recorded.isStopping !== true) this.#write({ ...(this.#read(uid) ?? recorded), isStopping: true })
  }

  observe(uid: string): Observation {
    const recorded = this.#read(uid)
    if (recorded === undefined) return "Absent"
    if (this.#alive(recorded) === undefined) {
      this.#tellUnheard(uid)
      return "Failed"
    }
    if (this.#stopping.has(uid)) return "Stopping"
    return this.#children.get(uid)?.isStarting === true ? "Starting" : "Running"
  }

  /** The numbers of all processes that live, of whichever life. */
  processes(): ReadonlyArray<number> {
    return this.list().flatMap((uid) => {
      const recorded = this.#read(uid)
      const pid = recorded === undefined ? undefined : this.#alive(recorded)
      return pid === undefined ? [] : [pid]
    })
  }

  list(): ReadonlyArray<string> {
    return fs
      .readdirSync(this.#options.directory)
      .flatMap((name) => (name.endsWith(".json") ? [decodeURIComponent(name.slice(0, -".json".length))] : []))
      .toSorted()
  }

  /** Its number, while it lives. */
  #alive(recorded: Recorded): number | undefined {
    // Until its end was heard of, with how it ended.
    const child = this.#children.get(recorded.uid)
    if (child !== undefined) return child.process.pid
    if (recorded.pid !== null) return isAlive(recorded.pid, recorded.startTime) ? recorded.pid : undefined
    const pid = processOfInstance(recorded.uid)
    if (pid !== undefined) this.#write({ uid: recorded.uid, pid, startTime: startTimeOf(pid) ?? null })
    return pid
  }

  #follow(process: ChildProcess, uid: string): void {
    const { startMillis = instanceStartMillis } = this.#options
    const child: Child = { process, isStarting: this.#events !== undefined && startMillis > 0 }
    this.#children.set(uid, child)
    const ended = (how: string): void => {
      if (this.#children.get(uid) !== child) return
      this.#children.delete(uid)
      this.#tell(uid, how)
      this.#events?.onChange()
    }
    process.on("error", (error) => ended(`it could not be started: ${error.message}`))
    process.on("exit", (code, signal) =>
      ended(signal === null ? `its process ended with code ${code}` : `its process was killed by ${signal}`)
    )
    if (!child.isStarting) return
    this.#events?.later(startMillis, () => {
      if (this.#children.get(uid) !== child) return
      child.isStarting = false
      this.#events?.onChange()
    })
  }

  /** Of one that ended while nobody listened. */
  #tellUnheard(uid: string): void {
    if (!this.#children.has(uid)) this.#tell(uid, endUnknown)
  }

  #tell(uid: string, how: string): void {
    if (this.#events === undefined || this.#told.has(uid) || this.#stopping.has(uid)) return
    this.#told.add(uid)
    let kept: string
    try {
      // As it is now: another life may have asked for its end, or have told of it.
      const recorded = this.#read(uid)
      if (recorded === undefined || recorded.isStopping === true || recorded.end !== undefined) return
      kept = this.#keep(recorded, how)
    } catch (error) {
      kept = `what it wrote could not be kept: ${(error as Error).message}`
    }
    this.#events.onFailed(`instance ${uid}: ${how}; ${kept}`)
  }

  /** In words, what it wrote and where that is. Throws what the disk says. */
  #keep(recorded: Recorded, how: string): string {
    const { uid } = recorded
    const directory = path.join(this.#options.directory, "failed")
    const { file, lastLines } = keepOutput(directory, { uid, how, log: this.#path(uid, "log") })
    this.#write({ ...recorded, end: how })
    return `${lastLines === "" ? "it wrote nothing" : `it wrote last "${lastLines}"`}; kept in ${file}`
  }

  #forget(uid: string): void {
    this.#children.delete(uid)
    this.#told.delete(uid)
    this.#stopping.delete(uid)
    fs.rmSync(this.#path(uid, "json"), { force: true })
    fs.rmSync(this.#path(uid, "log"), { force: true })
  }

  #path(uid: string, ending: "json" | "log"): string {
    return path.join(this.#options.directory, `${encodeURIComponent(uid)}.${ending}`)
  }

  #read(uid: string): Recorded | undefined {
    try {
      return JSON.parse(fs.readFileSync(this.#path(uid, "json"), "utf8")) as Recorded
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
      throw error
    }
  }

  /** Whole or not at all, whenever this process dies. */
  #write(recorded: Recorded): void {
    const target = this.#path(recorded.uid, "json")
    fs.writeFileSync(`${target}.new`, JSON.stringify(recorded), { mode: 0o600 })
    fs.renameSync(`${target}.new`, target)
  }
}

/** An agent's secrets are not its instances' business. */
const inheritedNames = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"]

function inherited(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(inheritedNames.map((name) => [name, process.env[name]]))
}

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}
