/**
 * `Provider` of one host: each instance is a process, started from a command, that outlives whoever started it.
 *
 * - C1 What is wanted is on disk before a process is started, and its number and start time right after it: a later process of this
 *   adapter finds again what runs. One that died in between is found by the uid in its environment (Linux).
 * - C2 A process whose number was given to another is not taken for it: the start time, as the system tells it, is compared.
 * - C3 What has ended is shown as failed until its end is asked for; nothing is started twice.
 * - C4 An end is asked for with SIGTERM to the whole process group, and after `killAfterMillis` with SIGKILL.
 */
import { spawn } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Observation, Provider, ProviderError, ProviderUnavailable, type Spec } from "../../core/ports/Provider.ts"
import { commandOf, environmentOf } from "./InstanceCommand.ts"
import { isAlive, processOfInstance, startTimeOf } from "./processTable.ts"

export interface Options {
  /** Of this agent alone; made when it is not there. */
  readonly directory: string
  /** A template: `{uid}`, `{image}` and `{size}` are replaced in each word. */
  readonly command: ReadonlyArray<string>
  /** Default 5 s. */
  readonly killAfterMillis?: number
}

/** One file for each instance, `<uid>.json`. */
interface Recorded {
  readonly uid: string
  /** Null from before its start until its number is known. */
  readonly pid: number | null
  readonly startTime: string | null
}

const killAfterMillisDefault = 5_000
/** Of one that could not be started: it need not be looked for. */
const noProcess = 0

/** Dies when the directory cannot be made. */
export const layer = (options: Options): Layer.Layer<Provider> =>
  Layer.sync(Provider, () => {
    const host = new ChildProcesses(options)
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
      list: call("list", () => host.list())
    })
  })

/** Exported for the tests of several lives of one host. */
export class ChildProcesses {
  readonly #options: Options
  /** Since when the end of each was asked for, on the monotonic clock. */
  readonly #stopping = new Map<string, number>()

  constructor(options: Options) {
    this.#options = options
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
      // Told by `observe`, which finds no process.
      child.on("error", (error) => fs.appendFileSync(this.#path(uid, "log"), `stormglass: ${error.message}\n`))
      child.unref()
      const pid = child.pid ?? noProcess
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
      this.#forget(uid)
      return
    }
    const askedMillis = this.#stopping.get(uid)
    if (askedMillis === undefined) this.#stopping.set(uid, performance.now())
    const isOverdue =
      askedMillis !== undefined &&
      performance.now() - askedMillis > (this.#options.killAfterMillis ?? killAfterMillisDefault)
    if (askedMillis === undefined || isOverdue) signalGroup(pid, isOverdue ? "SIGKILL" : "SIGTERM")
  }

  observe(uid: string): Observation {
    const recorded = this.#read(uid)
    if (recorded === undefined) return "Absent"
    if (this.#alive(recorded) === undefined) return "Failed"
    return this.#stopping.has(uid) ? "Stopping" : "Running"
  }

  list(): ReadonlyArray<string> {
    return fs
      .readdirSync(this.#options.directory)
      .flatMap((name) => (name.endsWith(".json") ? [decodeURIComponent(name.slice(0, -".json".length))] : []))
      .toSorted()
  }

  /** Its number, while it lives. */
  #alive(recorded: Recorded): number | undefined {
    if (recorded.pid !== null) return isAlive(recorded.pid, recorded.startTime) ? recorded.pid : undefined
    const pid = processOfInstance(recorded.uid)
    if (pid !== undefined) this.#write({ uid: recorded.uid, pid, startTime: startTimeOf(pid) ?? null })
    return pid
  }

  #forget(uid: string): void {
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
