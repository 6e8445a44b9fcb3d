/**
 * `Provider` of one host: each instance is a process, started from a command, that outlives whoever started it.
 *
 * - C1 What is wanted is on disk before a process is started, and its number and start time right after it: a later process of this
 *   adapter finds again what runs. One that died in between is found by the uid in its environment (Linux).
 * - C2 A process whose number was given to another is not taken for it: the start time, as the system tells it, is compared.
 * - C3 What has ended is shown as failed until its end is asked for; nothing is started twice.
 * - C4 An end is asked for with SIGTERM to the whole process group, and after `killAfterMillis` with SIGKILL. What is left of the group when its
 *   first process has ended is ended in the same way, whoever ended that; an instance is gone when nobody is left. Who leaves the group is out of reach.
 * - C5 It runs when its process has lived for `startMillis`; what ended before that was only starting. What an earlier process of this
 *   adapter has started runs.
 * - C6 Who ends without having been asked to is told of once, with how it ended, and what it wrote last is kept (`FailedOutput.ts`).
 * - C7 A group whose first process is gone is taken for an instance's only while somebody is in it who was seen there before, by number and start
 *   time, or whose environment has the uid (Linux): a number is not given out again while there is a group of it, but it is afterwards.
 * - C8 What a process writes is bounded (`OutputFile.ts`), and it writes on when the agent is gone.
 */
import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { instanceStartMillis, reportCauseCharsMax } from "../../core/Limits.ts"
import { type Observation, Provider, ProviderError, ProviderUnavailable, type Spec } from "../../core/ports/Provider.ts"
import { lineOf } from "../../core/ports/Text.ts"
import { keepOutput } from "./FailedOutput.ts"
import { commandOf, environmentOf } from "./InstanceCommand.ts"
import { outputLookMillis, removeOutput, rotate } from "./OutputFile.ts"
import {
  hasGroup,
  isAlive,
  isOfInstance,
  type Member,
  membersOf,
  processOfInstance,
  startTimeOf
} from "./processTable.ts"

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
  /** In words: which, how it ended, and what it wrote; or what of it could not be done. */
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
  /** How it ended, once that was told, and the same with what it wrote last. */
  readonly end?: string
  readonly cause?: string
  /** Who was left of its group when it ended. */
  readonly rest?: ReadonlyArray<Member>
}

/** One that this very process has started, and whose end it has not heard of. */
interface Child {
  readonly process: ChildProcess
  isStarting: boolean
}

const killAfterMillisDefault = 5_000
/** Of one that could not be started: it need not be looked for. */
const noProcess = 0
const endUnknown = "ended, and how is not known, as it was no child of this agent's process"

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
    const bound = Effect.try({ try: () => host.boundOutput(), catch: (error) => (error as Error).message }).pipe(
      Effect.flatMap((messages) => Effect.forEach(messages, (message) => Effect.logWarning(message))),
      Effect.catch((detail) => Effect.logWarning(`what instances write cannot be looked at: ${detail}`))
    )
    yield* Effect.forkScoped(Effect.repeat(bound, Schedule.spaced(`${outputLookMillis} millis`)))
    const call = <A>(name: ProviderError["call"], body: () => A): Effect.Effect<A, ProviderError> =>
      Effect.try({
        try: body,
        catch: (error) =>
          new ProviderError({ call: name, reason: new ProviderUnavailable({ detail: (error as Error).message }) })
      })
    return Provider.of({
      start: (uid, spec) => call("start", () => host.start(uid, spec)),
      stop: (uid) => call("stop", () => host.stop(uid)),
      observe: (uid) =>
        call("observe", () => {
          const observation = host.observe(uid)
          const cause = observation === "Failed" ? host.causeOf(uid) : undefined
          return { observation, ...(cause === undefined ? {} : { cause }) }
        }),
      list: call("list", () => host.list()),
      changed: Effect.andThen(changed.await, changed.close)
    })
  })

/** The host, for one of its lives. Without `events` it only looks and stops: it says nothing of what failed, and keeps none of it. */
export class ChildProcesses {
  readonly #options: Options
  readonly #events: Events | undefined
  readonly #children = new Map<string, Child>()
  /** Those whose end was asked for. */
  readonly #stopping = new Set<string>()
  /** Since when the group of each has been asked to end, on the monotonic clock. */
  readonly #askedAtMillis = new Map<string, number>()
  /** Those of whose end was told, written down or not, and how they ended. */
  readonly #told = new Map<string, string>()
  /** Who was seen last in a group whose first process is gone. */
  readonly #rest = new Map<string, ReadonlyArray<Member>>()

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
    const recorded = this.#found(uid)
    if (recorded === undefined) return
    const pid = this.#alive(recorded)
    if (pid === undefined) this.#tellUnheard(uid)
    const group = pid ?? this.#groupLeft(recorded)
    if (group === undefined) return this.#forget(uid)
    this.#stopping.add(uid)
    this.#end(uid, group)
    // After the signal: a full disk keeps nobody alive.
    if (recorded.isStopping !== true) this.#write({ ...(this.#read(uid) ?? recorded), isStopping: true })
  }

  observe(uid: string): Observation {
    const recorded = this.#found(uid)
    if (recorded === undefined) return "Absent"
    if (this.#alive(recorded) === undefined) {
      this.#tellUnheard(uid)
      const group = this.#groupLeft(recorded)
      if (group === undefined) return "Failed"
      if (this.#events !== undefined) this.#end(uid, group)
      return this.#stopping.has(uid) ? "Stopping" : "Failed"
    }
    if (this.#stopping.has(uid)) return "Stopping"
    return this.#children.get(uid)?.isStarting === true ? "Starting" : "Running"
  }

  /** How it ended and what it wrote last, once that was told: "exited with code 1: out of memory". */
  causeOf(uid: string): string | undefined {
    return this.#told.get(uid) ?? this.#read(uid)?.cause
  }

  /** The numbers of all process groups that live, of whichever life. */
  processes(): ReadonlyArray<number> {
    return this.list().flatMap((uid) => {
      const recorded = this.#found(uid)
      return recorded === undefined ? [] : (this.#alive(recorded) ?? this.#groupLeft(recorded) ?? [])
    })
  }

  /** To be called now and then. In words, what could not be done. */
  boundOutput(): ReadonlyArray<string> {
    return this.list().flatMap((uid) => {
      try {
        rotate(this.#path(uid, "log"))
        return []
      } catch (error) {
        return [`instance ${uid}: what it wrote is not all kept: ${(error as Error).message}`]
      }
    })
  }

  list(): ReadonlyArray<string> {
    return fs
      .readdirSync(this.#options.directory)
      .flatMap((name) => (name.endsWith(".json") ? [decodeURIComponent(name.slice(0, -".json".length))] : []))
      .toSorted()
  }

  /** What was written down, also of one that was started when that was not done yet. */
  #found(uid: string): Recorded | undefined {
    const recorded = this.#read(uid)
    if (recorded === undefined || recorded.pid !== null || this.#children.has(uid)) return recorded
    const pid = processOfInstance(uid)
    if (pid === undefined) return recorded
    const found = { ...recorded, pid, startTime: startTimeOf(pid) ?? null }
    this.#write(found)
    return found
  }

  /** Its number, while it lives. */
  #alive({ pid, startTime, uid }: Recorded): number | undefined {
    // Until its end was heard of, with how it ended.
    const child = this.#children.get(uid)
    if (child !== undefined) return child.process.pid
    return pid !== null && isAlive(pid, startTime) ? pid : undefined
  }

  /** The number of its group, when it has ended itself and others of the group live (C7). */
  #groupLeft({ pid: group, rest = [], uid }: Recorded): number | undefined {
    // Another process has the number, so nobody was left in the group.
    if (group === null || !hasGroup(group) || startTimeOf(group) !== undefined) return undefined
    const members = membersOf(group)
    const seen = [...rest, ...(this.#rest.get(uid) ?? [])]
    const isKnown = (member: Member) =>
      seen.some(({ pid, startTime }) => pid === member.pid && startTime === member.startTime)
    if (!members.some((member) => isKnown(member) || isOfInstance(member.pid, uid))) return undefined
    this.#rest.set(uid, members)
    return group
  }

  /** At first it is asked, and when that has taken too long, not any more. */
  #end(uid: string, group: number): void {
    const nowMillis = performance.now()
    const askedAtMillis = this.#askedAtMillis.get(uid)
    if (askedAtMillis === undefined) {
      this.#askedAtMillis.set(uid, nowMillis)
      signalGroup(group, "SIGTERM")
      if (!this.#stopping.has(uid)) this.#events?.onFailed(this.#leftText(uid, group))
    } else if (nowMillis - askedAtMillis > (this.#options.killAfterMillis ?? killAfterMillisDefault)) {
      signalGroup(group, "SIGKILL")
    }
  }

  #leftText(uid: string, group: number): string {
    const count = this.#rest.get(uid)?.length ?? 0
    return `instance ${uid} left ${count} ${count === 1 ? "process" : "processes"} of group ${group}, to be ended`
  }

  #follow(process: ChildProcess, uid: string): void {
    const { startMillis = instanceStartMillis } = this.#options
    const child: Child = { process, isStarting: this.#events !== undefined && startMillis > 0 }
    this.#children.set(uid, child)
    const ended = (how: string): void => {
      if (this.#children.get(uid) !== child) return
      this.#children.delete(uid)
      this.#tell(uid, how)
      this.#endRest(uid, process.pid)
      this.#events?.onChange()
    }
    process.on("error", (error) => ended(`could not be started: ${error.message}`))
    process.on("exit", (code, signal) =>
      ended(signal === null ? `exited with code ${code}` : `was killed by ${signal}`)
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

  /** At the very moment of its end: the number is nobody else's yet. */
  #endRest(uid: string, group: number | undefined): void {
    if (group === undefined || !hasGroup(group)) return
    try {
      const rest = membersOf(group)
      const recorded = this.#read(uid)
      if (rest.length === 0 || recorded === undefined) return
      this.#rest.set(uid, rest)
      this.#end(uid, group)
      this.#write({ ...recorded, rest })
    } catch (error) {
      this.#events?.onFailed(`instance ${uid}: what is left of its processes: ${(error as Error).message}`)
    }
  }

  #tell(uid: string, how: string): void {
    if (this.#events === undefined || this.#told.has(uid) || this.#stopping.has(uid)) return
    let kept: string
    try {
      // As it is now: another life may have asked for its end, or have told of it.
      const recorded = this.#read(uid)
      if (recorded === undefined || recorded.isStopping === true || recorded.end !== undefined) return
      kept = this.#keep(recorded, how)
    } catch (error) {
      this.#told.set(uid, how)
      kept = `what it wrote could not be kept: ${(error as Error).message}`
    }
    this.#events.onFailed(`instance ${uid} ${this.#told.get(uid)}; ${kept}`)
  }

  /** In words, what it wrote and where that is. Throws what the disk says. */
  #keep(recorded: Recorded, how: string): string {
    const { uid } = recorded
    const directory = path.join(this.#options.directory, "failed")
    const { file, lastLine, lastLines } = keepOutput(directory, { uid, how, log: this.#path(uid, "log") })
    const cause = lineOf(lastLine === "" ? how : `${how}: ${lastLine}`, reportCauseCharsMax) ?? how
    this.#told.set(uid, cause)
    this.#write({ ...recorded, end: how, cause })
    return `${lastLines === "" ? "it wrote nothing" : `it wrote last "${lastLines}"`}; kept in ${file}`
  }

  #forget(uid: string): void {
    this.#children.delete(uid)
    this.#told.delete(uid)
    this.#stopping.delete(uid)
    this.#askedAtMillis.delete(uid)
    this.#rest.delete(uid)
    fs.rmSync(this.#path(uid, "json"), { force: true })
    removeOutput(this.#path(uid, "log"))
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
