/**
 * While a run is on, the host's time, chance, timers, I/O and promises are trapped in this thread, so that a run which
 * leaves the simulation says so instead of differing from itself.
 *
 * - T1 Outside runs nothing is replaced and nothing costs; the last `leave` restores every property as it was, a test's spies and fakes,
 *   too. Where `stand` was called functions stay replaced, and do then what they are for: so what a module takes for itself (`const now = Date.now`) is trapped in runs.
 * - T2 Who calls decides: the first stack frame outside Node.js and this file. A listed package is answered from the
 *   simulation (`virtual`), everybody else fails, and the run has escaped even if the program catches the error.
 * - T3 Effect's hash of a by-reference object is the same for all, so that such keys collide and an Effect HashMap or
 *   HashSet of them iterates in order of insertion, in every run, process and order of seeds. A hash that differed by
 *   seed would not do: Effect remembers hashes for the life of the process.
 * - T4 Where programs use promises (`programs`), a node's program may read time and chance, set timers and use promises as on
 *   Node: all of it is answered from the node that runs. Input and output are refused as ever.
 *
 * Out of reach: `await` of a native promise and `import()` call nothing that could be replaced (the fiber that waits for
 * them never resumes, and the run stalls or escapes at Effect's own `then`; what an abandoned one does at the end of its run is trapped,
 * see `runApart`), and so does a function of the host that was taken before `stand`. What only the garbage collector decides (`WeakRef`) is not
 * trapped either. The determinism gate is the second net.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import childProcess from "node:child_process"
import cluster from "node:cluster"
import crypto from "node:crypto"
import dgram from "node:dgram"
import dns from "node:dns"
import fs from "node:fs"
import http from "node:http"
import http2 from "node:http2"
import https from "node:https"
import { syncBuiltinESMExports } from "node:module"
import net from "node:net"
import os from "node:os"
import readline from "node:readline"
import readlinePromises from "node:readline/promises"
import type * as Sqlite from "node:sqlite"
import timers from "node:timers"
import timersPromises from "node:timers/promises"
import tls from "node:tls"
import v8 from "node:v8"
import vm from "node:vm"
import workerThreads from "node:worker_threads"
import zlib from "node:zlib"
import { sha1 } from "@noble/hashes/legacy.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import { zone } from "./zone.ts"

/** What a listed package may read: answered by the running node's clock, or by the run's own chance. */
export type VirtualApi =
  | "Date.now"
  | "new Date"
  | "performance.now"
  | "process.hrtime"
  | "Math.random"
  | "crypto.getRandomValues"
  | "crypto.randomUUID"
  | "crypto.randomBytes"
  | "setTimeout"

/** Package name to what it may read of the simulation as if of the host. */
export type VirtualPackages = Readonly<Record<string, ReadonlyArray<VirtualApi>>>

/**
 * Effect draws span ids and hashes from `Math.random`; its own time and chance come through `Clock` and `Random`. The
 * Postgres driver names its statements by chance and gives up an abandoned one by a timer.
 */
export const defaultVirtual: VirtualPackages = {
  effect: ["Math.random"],
  "@effect/sql-pg": ["crypto.randomBytes", "setTimeout"]
}

/** What programs with promises find in place of the host's loop. */
export interface Programs {
  /** Whether a node runs; nobody else may do what its program may. */
  readonly isRunning: () => boolean
  /** A task of the running node, after those that are runnable. */
  readonly task: (run: () => void) => void
  /** What was thrown by a callback, or rejected without anybody to handle it: the end of a process. */
  readonly uncaught: (error: unknown) => void
}

export interface TrapOptions {
  /** The running node's wall clock, in microseconds. */
  readonly wallMicros: () => number
  /** The running node's monotonic clock, in microseconds. */
  readonly monotonicMicros: () => number
  /** Uniform in [0, 1): a stream of this run. */
  readonly fraction: () => number
  /** What the next fiber is called: counted by the run. */
  readonly fiberId: () => number
  /** A timer of the running node; the function returned takes it back. */
  readonly timer: (millis: number, run: () => void) => () => void
  readonly virtual?: VirtualPackages
  /** Programs use promises: while a node runs, whoever reads time and chance or sets timers is answered from it. Default: they do not. */
  readonly programs?: Programs
  /** Told of each escape before it is thrown into the program. */
  readonly onEscape?: (escaped: Escaped) => void
}

/** The program left the simulation. */
export class Escaped extends Error {
  override readonly name = "Escaped"
  /** As written in a program: "Date.now". */
  readonly api: string
  /** What to use instead. */
  readonly remedy: string
  /** The frames of the program, innermost first, with paths relative to the working directory. */
  readonly frames: ReadonlyArray<string>

  constructor(api: string, remedy: string, frames: ReadonlyArray<string>) {
    super(`${api} is of the host, not of the simulation: ${remedy}`)
    this.api = api
    this.remedy = remedy
    this.frames = frames
    this.stack = [`Escaped: ${this.message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n")
  }
}

export interface Trapped {
  /** The first escape, if the program left the simulation. */
  readonly escaped: Escaped | undefined
  /** Ends what `enter` began; refused unless it is the innermost. */
  readonly leave: () => void
}

/** Traps this thread until `leave`. Nests: the innermost options hold. */
export const enter = (options: TrapOptions): Trapped => {
  let escaped: Escaped | undefined
  const run: Run = {
    options,
    virtual: options.virtual ?? defaultVirtual,
    escape: (found) => {
      escaped ??= found
      options.onEscape?.(found)
    }
  }
  const giveBack = options.programs === undefined ? undefined : takeRejections(options.programs)
  if (runs.length === 0) {
    replaceAll()
    isSuspended = false
  }
  runs.push(run)
  return {
    get escaped() {
      return escaped
    },
    leave: () => {
      if (runs.at(-1) !== run) throw new Error("a trap is left in the order opposite to that in which it was entered")
      runs.pop()
      if (runs.length === 0) {
        isSuspended = true
        restoreAll()
      }
      giveBack?.()
    }
  }
}

/**
 * Runs something of the host on behalf of a node: it may do as it likes, but what it reads of time and chance is that
 * node's clock, to the microsecond, and the run's own chance. For code that cannot know whom it serves: PGlite.
 */
export const lend = <A>(wallMicros: number, body: () => A): A => {
  const [wasLent, wasSuspended] = [lentMicros, isSuspended]
  lentMicros = wallMicros
  isSuspended = true
  try {
    return body()
  } finally {
    lentMicros = wasLent
    isSuspended = wasSuspended
  }
}

/** As the host, whatever run is on. */
function ofHost<A>(act: () => A): A {
  const wasSuspended = isSuspended
  isSuspended = true
  try {
    return act()
  } finally {
    isSuspended = wasSuspended
  }
}

/** What is installed as `alias` may do what `name` may: it is another version of it. */
export const treatAlike = (alias: string, name: string): void => {
  aliases.set(alias, name)
}

/** From now on functions stay replaced also outside runs (see T1): called before the modules of programs are loaded. */
export const stand = (): void => {
  isStanding = true
  if (runs.length > 0) return
  noteForeign()
  restoreAll()
}

/** Makes by-reference hashes equal also before the first run (see T3): for threads and processes that only run seeds. */
export const pinHashes = (): void => {
  isPinned = true
  stand()
}

const portsRemedy = "use the port that Effect or core/ports has for it"
const timeRemedy = "use Clock or DateTime.now, which read the node's own clock"
const chanceRemedy = "use Random, which is the node's own stream"
const timerRemedy = "use Effect.sleep, Effect.timeout or a Schedule, which run on the node's own clock"
const turnRemedy =
  "use Effect.yieldNow; a fiber started with Effect.runFork or Effect.runPromise leaves the node's scheduler, fork it instead; what needs promises of the host, as streams of the web do, needs isAsync: true in the scenario"
const promiseRemedy =
  "a promise of the host cannot settle inside a run, so Effect.promise, tryPromise and await never resume: use an Effect, or isAsync: true in the scenario"
const networkRemedy = "use HttpClient, HttpServer, Socket or Dial, whose links are simulated"
const diskRemedy = "use FileSystem"
const argumentRemedy = "a program without Effect takes what does it as an argument, which uses host.call here"
const outsideRemedy = "use the Provider port for what lives outside"
const hostRemedy = "what the host is and has spent is no part of a run: take it from configuration"
const endRemedy = "a node ends when its program does: return from it, or fail"
const listenerRemedy =
  "a node that is stopped is interrupted (a program with promises: host.signal), and what nobody handles ends it"
const blobRemedy = "a Blob is read by a thread of the host: keep its bytes as a Uint8Array"
const importRemedy = "a module is read by promises of the host: import it at the top"
const twinRemedy = "it answers from a thread of the host: use its synchronous twin"

/** Every by-reference object hashes to this (see T3). */
const hashFraction = 0.5

interface Run {
  readonly options: TrapOptions
  readonly virtual: VirtualPackages
  readonly escape: (escaped: Escaped) => void
}

/** Folders of packages that are other versions of what has the name. */
const aliases = new Map<string, string>()

/** The runs that are on, outermost first. */
const runs: Array<Run> = []

/** The time for whoever is lent the host; undefined while nobody is. */
let lentMicros: number | undefined

/** A timer that a listed package has set. */
class VirtualTimer {
  readonly cancel: () => void

  constructor(cancel: () => void) {
    this.cancel = cancel
  }

  /** Nothing of the host waits for it, so there is nothing to let go. */
  unref(): this {
    return this
  }
}

/** A timer, interval or immediate of a program with promises. */
class ProgramTimer {
  readonly #set: () => () => void
  #cancel: () => void

  constructor(set: () => () => void) {
    this.#set = set
    this.#cancel = set()
  }

  cancel(): void {
    this.#cancel()
  }

  close(): this {
    this.#cancel()
    return this
  }

  refresh(): this {
    this.#cancel()
    this.#cancel = this.#set()
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.toPrimitive](): never {
    throw new TypeError("a timer in a simulation has no number: give clearTimeout the timer itself")
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }
}

/** True outside runs, and while the trap itself, or something let through, is at work: the host is then itself. */
let isSuspended = true

let isStanding = false
let isPinned = false

interface Replacement {
  readonly owner: object
  readonly key: string
  /** Undefined where the property is inherited. */
  readonly original: PropertyDescriptor | undefined
  readonly replaced: PropertyDescriptor
}

/** What somebody else had put there before the run: a spy of a test, a fake. */
const foreign = new Map<Replacement, PropertyDescriptor>()

const replacements: ReadonlyArray<Replacement> = plan()

/**
 * Effect counts fibers in a variable of its module, and an interruption carries the number of whoever interrupted, in the bytes of a remote
 * call, too: as long as all runs of a process shared it, they depended on what ran before.
 */
const fibers = Object.getPrototypeOf(Effect.runFork(Effect.void)) as object
const fiberId: PropertyDescriptor = {
  configurable: true,
  set(this: object) {
    const value = (runs.at(-1) as Run).options.fiberId()
    Object.defineProperty(this, "id", { value, configurable: true, enumerable: true, writable: true })
  }
}

let hostZone: { readonly TZ: string | undefined } | undefined

function replaceAll(): void {
  Object.defineProperty(fibers, "id", fiberId)
  noteForeign()
  for (const { key, owner, replaced } of replacements) Object.defineProperty(owner, key, replaced)
  // In the thread that began the process; others have its zone.
  const { TZ } = process.env
  if (TZ !== zone) {
    hostZone = { TZ }
    process.env["TZ"] = zone
  }
  // Named imports of builtin modules are copies; this brings them up to date.
  syncBuiltinESMExports()
}

function restoreAll(): void {
  Reflect.deleteProperty(fibers, "id")
  if (hostZone?.TZ !== undefined) process.env["TZ"] = hostZone.TZ
  else if (hostZone !== undefined) delete process.env["TZ"]
  hostZone = undefined
  for (const replacement of replacements) {
    const { key, original, owner, replaced } = replacement
    // What is a getter loads its module at first use; `then` is on the way of every promise of the host.
    const stays = isStanding && original !== undefined && "value" in original && key !== "then"
    const after = foreign.get(replacement) ?? (stays ? replaced : original)
    if (after === undefined) Reflect.deleteProperty(owner, key)
    else Object.defineProperty(owner, key, after)
  }
  syncBuiltinESMExports()
}

/** What stands there now and is neither of the host nor ours. */
function noteForeign(): void {
  foreign.clear()
  for (const replacement of replacements) {
    const { key, original, owner, replaced } = replacement
    const now = Object.getOwnPropertyDescriptor(owner, key)
    const isOne = (other: PropertyDescriptor | undefined) =>
      Object.is(now?.value, other?.value) && now?.get === other?.get
    if (now !== undefined && !isOne(original) && !isOne(replaced)) foreign.set(replacement, now)
  }
}

/** Has rejections that nobody handles told here alone; the function returned gives them back to whoever heard them before. */
function takeRejections({ uncaught }: Programs): () => void {
  const event = "unhandledRejection"
  const others = process.rawListeners(event) as unknown as ReadonlyArray<NodeJS.UnhandledRejectionListener>
  process.removeAllListeners(event)
  ofHost(() => process.on(event, uncaught))
  return () => {
    process.off(event, uncaught)
    ofHost(() => others.forEach((other) => process.on(event, other)))
  }
}

/** What the trap does at a call: answers from the simulation, or throws. */
function trapped<A>(api: string, remedy: string, answer?: (run: Run, frames: ReadonlyArray<string>) => A): A {
  const run = runs.at(-1) as Run
  const wasSuspended = isSuspended
  isSuspended = true
  try {
    // Who calls is mostly among the first frames; the others are for whoever has left the simulation, and cost most of the call.
    const nearest = answer === undefined ? [] : framesOf(4)
    const frames = nearest.length > 0 ? nearest : framesOf(40)
    const caller = packageOf(frames[0])
    const isListed = caller !== undefined && (run.virtual[caller] as ReadonlyArray<string>)?.includes(api)
    if (answer !== undefined && (isListed || isOfProgram(run))) return answer(run, frames)
    const all = frames === nearest ? framesOf(40) : frames
    const told = isOfProgram(run) ? programRemedy(remedy) : remedy
    const by = all.filter(isTelling).slice(0, 8).map(relative)
    const loader = remedy === diskRemedy ? loaderOf() : undefined
    const escaped = loader === undefined ? new Escaped(api, told, by) : new Escaped(loader, importRemedy, by)
    run.escape(escaped)
    throw escaped
  } finally {
    isSuspended = wasSuspended
  }
}

/** For those without Effect. */
function programRemedy(remedy: string): string {
  if (remedy === networkRemedy || remedy === diskRemedy) return `${remedy}; ${argumentRemedy}`
  if (remedy === chanceRemedy) return "use Math.random or crypto.randomBytes, which are the node's own stream"
  if (remedy === timeRemedy) return "use Date.now or performance.now, which read the node's own clock"
  return remedy
}

function isOfProgram({ options }: Run): boolean {
  return options.programs?.isRunning() === true
}

/** What of Node.js has read a file because the program loads a module. */
function loaderOf(): "import" | "require" | undefined {
  const frames = stackOf(16)
  if (frames[0]?.includes("node:internal/modules/") !== true) return undefined
  return frames.some((frame) => frame.includes("node:internal/modules/esm/")) ? "import" : "require"
}

/** The calling frames outside Node.js and this file, innermost first, without "at". */
function framesOf(limit: number): ReadonlyArray<string> {
  return stackOf(limit).filter((line) => !line.includes("node:") && !line.includes("<anonymous>)"))
}

/** The calling frames outside this file, innermost first, without "at". */
function stackOf(limit: number): ReadonlyArray<string> {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = limit + 8
  const stack = captured() ?? unprepared(captured) ?? ""
  Error.stackTraceLimit = stackTraceLimit
  return stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ""))
    .filter((line) => !line.includes(ownFrames))
}

/** Undefined where the program makes something else of stacks. */
function captured(): string | undefined {
  const holder: { stack?: unknown } = {}
  Error.captureStackTrace(holder)
  return typeof holder.stack === "string" ? holder.stack : undefined
}

function unprepared<A>(body: () => A): A {
  const { prepareStackTrace } = Error
  Reflect.deleteProperty(Error, "prepareStackTrace")
  try {
    return body()
  } finally {
    if (prepareStackTrace !== undefined) Error.prepareStackTrace = prepareStackTrace
  }
}

const ownFrames = `${import.meta.filename}:`

/** The npm package of a frame; undefined for code of nobody's package: ours, the user's. */
function packageOf(frame: string | undefined): string | undefined {
  const [, name = ""] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(frame ?? "") ?? []
  return aliases.get(name) ?? (name || undefined)
}

function isHashing([frame]: ReadonlyArray<string>): boolean {
  return /\/(src|dist)\/Hash\.[jt]s/.test(frame ?? "") && packageOf(frame) === "effect"
}

/** Frames of the program: the loops that drive it say nothing. */
function isTelling(frame: string, index: number): boolean {
  if (index === 0) return true
  return packageOf(frame) !== "effect" && !/[/\\]sim[/\\](kernel|run|host)[/\\](?!.*\.test\.)/.test(frame)
}

function relative(frame: string): string {
  return frame.replaceAll(`file://${process.cwd()}/`, "").replaceAll(`${process.cwd()}/`, "")
}

// ---------------------------------------------------------------------------------------------- what is replaced

function plan(): ReadonlyArray<Replacement> {
  const found: Array<Replacement> = []
  const replace = (owner: object, key: string, make: (original: never) => unknown) => {
    const original = Object.getOwnPropertyDescriptor(owner, key)
    if (original?.configurable !== true) return
    const value = make((original.value ?? undefined) as never)
    found.push({
      owner,
      key,
      original,
      replaced: { value, configurable: true, writable: true, enumerable: original.enumerable ?? false }
    })
  }
  /** Fails for whoever calls or constructs it. */
  const refuse = (owner: object, keys: ReadonlyArray<string>, api: (key: string) => string, remedy: string) => {
    for (const key of keys)
      replace(owner, key, (original: AnyFunction | undefined) => refusal(api(key), remedy, original))
  }
  /** The same, but for Node.js itself, which calls it on the way of something else. */
  const refuseDirect = (owner: object, keys: ReadonlyArray<string>, api: (key: string) => string, remedy: string) => {
    for (const key of keys) {
      replace(owner, key, (original: AnyFunction) => {
        const refused = refusal(api(key), remedy, original) as AnyFunction
        const trap = function (this: unknown, ...argumentList: ReadonlyArray<never>): unknown {
          const isDirect = !isSuspended && stackOf(1)[0]?.includes("node:") !== true
          return isDirect
            ? Reflect.apply(refused, this, argumentList)
            : ofHost(() => Reflect.apply(original, this, argumentList))
        }
        return Object.defineProperties(trap, Object.getOwnPropertyDescriptors(original))
      })
    }
  }
  /** The same, of a property that is read. */
  const refuseReading = (owner: object, key: string, api: string, remedy: string) => {
    const original = Object.getOwnPropertyDescriptor(owner, key)
    if (original?.configurable !== true) return
    const get = function (this: unknown): unknown {
      return isSuspended ? original.get?.call(this) : trapped(api, remedy)
    }
    found.push({ owner, key, original, replaced: { ...original, get } })
  }
  /** Answered from the simulation for those who may. */
  const reading =
    <A>(
      api: VirtualApi,
      remedy: string,
      answer: (run: Run, argument: never, frames: ReadonlyArray<string>, second: never) => A
    ) =>
    (original: AnyFunction) => {
      const trap = function (this: unknown, ...argumentList: ReadonlyArray<never>) {
        const run = runs.at(-1)
        if (lentMicros !== undefined && run !== undefined)
          return answer(run, argumentList[0] as never, [], argumentList[1] as never)
        if (isSuspended) return Reflect.apply(original, this, argumentList)
        const [first, second] = argumentList
        return trapped(api, remedy, (run, frames) => answer(run, first as never, frames, second as never))
      }
      return Object.defineProperties(trap, Object.getOwnPropertyDescriptors(original))
    }
  const read = <A>(
    owner: object,
    key: string,
    api: VirtualApi,
    remedy: string,
    answer: (run: Run, argument: never, frames: ReadonlyArray<string>, second: never) => A
  ) => replace(owner, key, reading(api, remedy, answer))
  /** Done so for programs with promises while their node runs, otherwise as for everybody. */
  const perform = (
    owner: object,
    key: string,
    otherwise: (original: AnyFunction) => unknown,
    act: (run: Run, argumentList: Arguments, original: AnyFunction, self: unknown) => unknown
  ) => {
    replace(owner, key, (original: AnyFunction) => {
      const forOthers = otherwise(original) as AnyFunction
      const trap = function (this: unknown, ...argumentList: ReadonlyArray<never>) {
        const run = runs.at(-1)
        if (isSuspended || run === undefined || !isOfProgram(run)) return Reflect.apply(forOthers, this, argumentList)
        return act(run, argumentList as unknown as Arguments, original, this)
      }
      return Object.defineProperties(trap, Object.getOwnPropertyDescriptors(original))
    })
  }
  const passed = (_run: Run, argumentList: Arguments, original: AnyFunction, self: unknown) =>
    Reflect.apply(original, self, argumentList)

  const wallMillis = (run: Run) =>
    lentMicros === undefined ? Math.floor(run.options.wallMicros() / 1_000) : lentMicros / 1_000
  const monotonicNanos = (run: Run) => BigInt(Math.floor(run.options.monotonicMicros())) * 1_000n
  const millisOf = (run: Run) => run.options.monotonicMicros() / 1_000

  // Time.
  replace(globalThis, "Date", (original: DateConstructor) => {
    read(original, "now", "Date.now", timeRemedy, wallMillis)
    const replaced = new Proxy(original, {
      construct: (target, argumentList, newTarget) => {
        const now = () => trapped("new Date", timeRemedy, (run) => [wallMillis(run)])
        const isOwn = argumentList.length > 0 || (isSuspended && lentMicros === undefined)
        const effective = isOwn ? argumentList : lentMicros === undefined ? now() : [lentMicros / 1_000]
        return Reflect.construct(target, effective, newTarget === globalThis.Date ? target : newTarget) as object
      },
      apply: (target) =>
        isSuspended ? target() : trapped("new Date", timeRemedy, (run) => new target(wallMillis(run)).toString())
    })
    replace(original.prototype, "constructor", () => replaced)
    return replaced
  })
  read(Object.getPrototypeOf(performance) as object, "now", "performance.now", timeRemedy, millisOf)
  replace(process, "hrtime", (original: NodeJS.HRTime) => {
    const hrtime = (before?: [number, number]): [number, number] =>
      isSuspended
        ? original(before)
        : trapped("process.hrtime", timeRemedy, (run) => since(monotonicNanos(run), before))
    const { bigint: hostNanos } = original
    const bigint = (): bigint =>
      isSuspended ? hostNanos() : trapped("process.hrtime", timeRemedy, (run) => monotonicNanos(run))
    // Effect has kept the function that there was, and asks it for this.
    replace(original, "bigint", () => bigint)
    return Object.assign(hrtime, { bigint })
  })

  const timeline = Object.getPrototypeOf(performance) as object
  refuse(timeline, ["mark", "measure", "toJSON", "eventLoopUtilization"], (key) => `performance.${key}`, timeRemedy)
  refuseReading(timeline, "timeOrigin", "performance.timeOrigin", timeRemedy)
  refuseReading(Event.prototype, "timeStamp", "Event.timeStamp", timeRemedy)
  const { prototype: formats } = Intl.DateTimeFormat
  const formatNow = (key: string) => trapped(`Intl.DateTimeFormat.${key}`, timeRemedy)
  const format = Object.getOwnPropertyDescriptor(formats, "format") as PropertyDescriptor & { get: () => AnyFunction }
  found.push({
    owner: formats,
    key: "format",
    original: format,
    replaced: {
      ...format,
      get(this: Intl.DateTimeFormat) {
        const original = format.get.call(this) as Intl.DateTimeFormat["format"]
        return (date?: Date | number) => (date === undefined && !isSuspended ? formatNow("format") : original(date))
      }
    }
  })
  replace(
    formats,
    "formatToParts",
    (original: Intl.DateTimeFormat["formatToParts"]) =>
      function (this: Intl.DateTimeFormat, date?: Date | number) {
        return date === undefined && !isSuspended ? formatNow("formatToParts") : original.call(this, date)
      }
  )

  // Chance.
  replace(Math, "random", (random: () => number) => {
    const pinned = () => (isPinned && runs.length === 0 && isHashing(framesOf(3)) ? hashFraction : random())
    return reading("Math.random", chanceRemedy, (run, _argument, frames) =>
      isHashing(frames) ? hashFraction : run.options.fraction()
    )(pinned)
  })
  for (const owner of [Crypto.prototype, crypto]) {
    read(owner, "getRandomValues", "crypto.getRandomValues", chanceRemedy, (run, array) => fill(run, array))
    read(owner, "randomUUID", "crypto.randomUUID", chanceRemedy, (run) => uuid(fill(run, new Uint8Array(16))))
  }
  read(crypto, "randomBytes", "crypto.randomBytes", chanceRemedy, (run, size, _frames, told: unknown) => {
    const bytes = fill(run, Buffer.alloc(size))
    if (typeof told !== "function") return bytes
    const tell = told as (error: null, bytes: Buffer) => void
    if (isOfProgram(run)) setTask(run, callback(run, tell, [null, bytes] as never))
    else run.options.timer(0, () => tell(null, bytes))
    return undefined
  })
  const cryptoApi = (key: string) => `crypto.${key}`
  refuse(
    crypto,
    [
      "randomInt",
      "randomFill",
      "randomFillSync",
      "pseudoRandomBytes",
      "publicEncrypt",
      "encapsulate",
      ...["KeyPair", "Key", "Prime"].flatMap((what) => [`generate${what}`, `generate${what}Sync`])
    ],
    cryptoApi,
    chanceRemedy
  )
  for (const { prototype } of [crypto.ECDH, crypto.DiffieHellman, crypto.DiffieHellmanGroup]) {
    refuse(prototype, ["generateKeys"], cryptoApi, chanceRemedy)
  }
  for (const key of ["sign", "verify", "diffieHellman", "decapsulate"] as const) {
    replace(crypto, key, (original: AnyFunction | undefined) => {
      const trap = (...argumentList: ReadonlyArray<never>): unknown => {
        const api = `crypto.${key}`
        if (!isSuspended && typeof argumentList.at(-1) === "function") return trapped(api, twinRemedy)
        if (!isSuspended && key === "sign" && drawsChance(argumentList[2])) return trapped(api, chanceRemedy)
        return original?.(...argumentList)
      }
      return Object.defineProperties(trap, Object.getOwnPropertyDescriptors(original ?? trap))
    })
  }
  replace(crypto.Sign.prototype, "sign", (original: crypto.Sign["sign"]) => {
    const trap = function (this: crypto.Sign, ...argumentList: Parameters<crypto.Sign["sign"]>): unknown {
      if (!isSuspended && drawsChance(argumentList[0])) return trapped("crypto.Sign.sign", chanceRemedy)
      return original.apply(this, argumentList)
    }
    return Object.defineProperties(trap, Object.getOwnPropertyDescriptors(original))
  })
  refuse(crypto, ["pbkdf2", "scrypt", "hkdf", "checkPrime", "argon2"], cryptoApi, twinRemedy)
  refuse(
    SubtleCrypto.prototype,
    functionsOf(SubtleCrypto.prototype),
    (key) => `crypto.subtle.${key}`,
    "WebCrypto answers through a promise of the host: hash with @noble/hashes"
  )

  // Timers and turns of the host's loop.
  for (const owner of [globalThis, timers]) {
    perform(owner, "setTimeout", reading("setTimeout", timerRemedy, setListed), (run, [act, millis, ...rest]) =>
      setTimer(run, millis, callback(run, act, rest))
    )
    perform(
      owner,
      "setInterval",
      (original) => refusal("setInterval", timerRemedy, original),
      (run, [act, millis, ...rest]) => {
        const timer: ProgramTimer = setTimer(run, millis, () => {
          timer.refresh()
          callback(run, act, rest)()
        })
        return timer
      }
    )
    perform(
      owner,
      "setImmediate",
      (original) => refusal("setImmediate", turnRemedy, original),
      (run, [act, ...rest]) => setTask(run, callback(run, act, rest))
    )
    for (const key of ["clearTimeout", "clearInterval", "clearImmediate"]) {
      replace(owner, key, (original: (timer: unknown) => void) => (timer: unknown) => {
        if (timer instanceof VirtualTimer || timer instanceof ProgramTimer) timer.cancel()
        else original(timer)
      })
    }
    perform(
      owner,
      "queueMicrotask",
      (original) => refusal("queueMicrotask", turnRemedy, original),
      (run, [act]) => void Promise.resolve().then(callback(run, act, []))
    )
  }
  perform(
    process,
    "nextTick",
    (original) => refusal("process.nextTick", turnRemedy, original),
    (run, [act, ...rest], original, self) => Reflect.apply(original, self, [callback(run, act, rest)] as never)
  )
  const awaited = ["setTimeout", "setImmediate"]
  for (const key of awaited) {
    perform(
      timersPromises,
      key,
      (original) => refusal(`timers/promises.${key}`, timerRemedy, original),
      (run, argumentList) => {
        const [millis, value, options] = (
          key === "setTimeout" ? argumentList : [1, ...argumentList]
        ) as ReadonlyArray<unknown>
        return waiting(options, (done) => {
          const settle = () => done(value)
          return key === "setTimeout" ? setTimer(run, millis as number, settle) : setTask(run, settle)
        })
      }
    )
  }
  refuse(
    timersPromises,
    functionsOf(timersPromises).filter((key) => !awaited.includes(key)),
    (key) => `timers/promises.${key}`,
    timerRemedy
  )
  const scheduler = Object.getPrototypeOf(timersPromises.scheduler) as object
  for (const key of ["wait", "yield"]) {
    perform(
      scheduler,
      key,
      (original) => refusal(`timers/promises.scheduler.${key}`, timerRemedy, original),
      (run, [millis, options]) =>
        waiting(options, (done) => (key === "wait" ? setTimer(run, millis, done) : setTask(run, done)))
    )
  }
  perform(
    AbortSignal,
    "timeout",
    (original) => refusal("AbortSignal.timeout", timerRemedy, original),
    (run, [millis]) => {
      const controller = new AbortController()
      setTimer(run, millis, () =>
        controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"))
      )
      return controller.signal
    }
  )
  // Whatever waits for it runs before the next task does: `ownTurn.ts`.
  perform(Promise.prototype, "then", (original) => refusal("Promise.then", promiseRemedy, original), passed)

  // What Effect would ask WebCrypto for, which answers through a promise.
  const digests = [
    [Digest.sha1, sha1],
    [Digest.sha256, sha256],
    [Digest.sha384, sha384],
    [Digest.sha512, sha512]
  ] as const
  for (const [algorithm, digest] of digests) replace(algorithm, "implementation", () => digest)
  refuse(Atomics, ["wait", "waitAsync"], (key) => `Atomics.${key}`, timerRemedy)
  refuse(globalThis, ["MessageChannel", "BroadcastChannel"], String, turnRemedy)

  // Input and output.
  refuse(globalThis, ["fetch", "WebSocket", "EventSource"], String, networkRemedy)
  for (const [name, module] of Object.entries({ http, https })) {
    refuse(module, ["request", "get", "createServer"], (key) => `${name}.${key}`, networkRemedy)
  }
  refuse(http2, ["connect", "createServer", "createSecureServer"], (key) => `http2.${key}`, networkRemedy)
  refuse(tls, ["connect", "createServer"], (key) => `tls.${key}`, networkRemedy)
  refuse(net, ["connect", "createConnection", "createServer"], (key) => `net.${key}`, networkRemedy)
  refuse(net.Socket.prototype, ["connect"], (key) => `net.Socket.${key}`, networkRemedy)
  // What was opened before the run, by an import at the top.
  replace(net.Socket.prototype, "_writeGeneric", (original: AnyFunction) => {
    return function (this: unknown, ...argumentList: ReadonlyArray<never>): unknown {
      const isPrinted = isSuspended || this === process.stdout || this === process.stderr
      return isPrinted ? Reflect.apply(original, this, argumentList) : trapped("net.Socket.write", networkRemedy)
    }
  })
  refuse(net.Server.prototype, ["listen"], (key) => `net.Server.${key}`, networkRemedy)
  refuse(dgram, ["createSocket"], (key) => `dgram.${key}`, networkRemedy)
  refuse(dgram.Socket.prototype, ["bind", "connect", "send"], (key) => `dgram.Socket.${key}`, networkRemedy)
  refuse(dns, functionsOf(dns), (key) => `dns.${key}`, networkRemedy)
  refuse(dns.promises, functionsOf(dns.promises), (key) => `dns.promises.${key}`, networkRemedy)
  for (const { prototype } of [dns.Resolver, dns.promises.Resolver]) {
    refuse(prototype, functionsOf(prototype), (key) => `dns.Resolver.${key}`, networkRemedy)
  }
  refuse(fs, functionsOf(fs), (key) => `fs.${key}`, diskRemedy)
  refuse(fs.promises, functionsOf(fs.promises), (key) => `fs.promises.${key}`, diskRemedy)
  const sqlite = sqliteOf()
  for (const name of ["DatabaseSync", "StatementSync"] as const) {
    const { prototype } = sqlite[name]
    refuse(prototype, functionsOf(prototype), (key) => `sqlite.${name}.${key}`, diskRemedy)
  }
  refuse(sqlite, ["DatabaseSync", "backup"], (key) => `sqlite.${key}`, diskRemedy)
  refuse(childProcess, functionsOf(childProcess), (key) => `child_process.${key}`, outsideRemedy)
  refuse(
    childProcess.ChildProcess.prototype,
    ["spawn", "kill"],
    (key) => `child_process.ChildProcess.${key}`,
    outsideRemedy
  )
  refuse(cluster, ["fork", "setupPrimary"], (key) => `cluster.${key}`, outsideRemedy)
  refuse(readline, ["createInterface"], (key) => `readline.${key}`, hostRemedy)
  refuse(readlinePromises, ["createInterface"], (key) => `readline/promises.${key}`, hostRemedy)
  refuseReading(process, "stdin", "process.stdin", hostRemedy)
  refuse(workerThreads, ["Worker", "MessageChannel", "BroadcastChannel"], (key) => `worker_threads.${key}`, portsRemedy)
  refuseDirect(workerThreads.Worker.prototype, ["postMessage"], (key) => `worker_threads.Worker.${key}`, portsRemedy)
  refuseDirect(
    workerThreads.MessagePort.prototype,
    ["postMessage"],
    (key) => `worker_threads.MessagePort.${key}`,
    portsRemedy
  )
  refuse(
    zlib,
    functionsOf(zlib).filter((key) => `${key}Sync` in zlib || key.startsWith("create")),
    (key) => `zlib.${key}`,
    twinRemedy
  )
  refuse(globalThis, ["CompressionStream", "DecompressionStream"], String, twinRemedy)
  const wasm = Reflect.get(globalThis, "WebAssembly") as object
  const compiling = functionsOf(wasm).filter((key) => key !== "validate")
  refuse(wasm, compiling, (key) => `WebAssembly.${key}`, twinRemedy)
  refuse(process, ["loadEnvFile"], (key) => `process.${key}`, diskRemedy)
  refuse(process.report, ["writeReport", "getReport"], (key) => `process.report.${key}`, hostRemedy)
  refuse(globalThis, ["PerformanceMark"], String, timeRemedy)
  refuse(Blob.prototype, ["stream", "text", "arrayBuffer", "bytes"], (key) => `Blob.${key}`, blobRemedy)
  refuse(os, functionsOf(os), (key) => `os.${key}`, hostRemedy)
  refuse(process, ["dlopen", "binding", "chdir", "execve"], (key) => `process.${key}`, portsRemedy)
  refuse(
    v8,
    ["getHeapStatistics", "getHeapSpaceStatistics", "getHeapCodeStatistics", "getHeapSnapshot", "writeHeapSnapshot"],
    (key) => `v8.${key}`,
    hostRemedy
  )
  // Another realm has another Date and Math.
  refuseDirect(vm, ["createContext", "runInContext", "runInNewContext"], (key) => `vm.${key}`, portsRemedy)
  refuse(vm.Script.prototype, ["runInContext", "runInNewContext"], (key) => `vm.Script.${key}`, portsRemedy)
  refuse(process, ["exit", "abort", "kill"], (key) => `process.${key}`, endRemedy)
  for (const key of ["on", "once", "addListener", "prependListener", "prependOnceListener"] as const) {
    const value = refusal(`process.${key}`, listenerRemedy, process[key])
    const replaced = { value, configurable: true, writable: true }
    found.push({ owner: process, key, original: undefined, replaced })
  }
  // As in a container: another in each process would be another run.
  for (const [key, inside] of [
    ["pid", 1],
    ["ppid", 0]
  ] as const) {
    const original = Object.getOwnPropertyDescriptor(process, key) as PropertyDescriptor
    const { enumerable, value } = original as { enumerable: boolean; value: number }
    const get = () => (isSuspended ? value : inside)
    found.push({ owner: process, key, original, replaced: { get, configurable: true, enumerable } })
  }
  refuse(
    process,
    [
      "uptime",
      "cpuUsage",
      "threadCpuUsage",
      "resourceUsage",
      "memoryUsage",
      "availableMemory",
      "getActiveResourcesInfo"
    ],
    (key) => `process.${key}`,
    hostRemedy
  )

  // What a program prints while somebody debugs it is let through, and what Node.js warns it of.
  for (const [owner, key] of [
    ...functionsOf(console).map((key) => [console, key] as const),
    [process, "emitWarning"] as const
  ]) {
    replace(
      owner,
      key,
      (original: AnyFunction) =>
        function (this: unknown, ...argumentList: ReadonlyArray<never>): unknown {
          // Whoever listens there hears it, too; what he calls in his turn is the host's.
          const { value = original } = (isSuspended ? undefined : foreign.get(replacement)) ?? {}
          return ofHost(() => Reflect.apply(value as AnyFunction, this, argumentList))
        }
    )
    const replacement = found.at(-1) as Replacement
  }
  return found
}

/** Node takes what is no time, or too long, for one millisecond. */
const timerMillisMax = 2_147_483_647

function setListed(run: Run, act: () => void, _frames: ReadonlyArray<string>, millis = 0): VirtualTimer {
  return new VirtualTimer(run.options.timer(millis, act))
}

function setTimer(run: Run, millis: unknown, act: () => void): ProgramTimer {
  const asked = Number(millis)
  const own = asked >= 1 && asked <= timerMillisMax ? Math.trunc(asked) : 1
  return new ProgramTimer(() => run.options.timer(own, act))
}

function setTask({ options }: Run, act: () => void): ProgramTimer {
  return new ProgramTimer(() => {
    let isCancelled = false
    options.programs?.task(() => {
      if (!isCancelled) act()
    })
    return () => {
      isCancelled = true
    }
  })
}

/** What it throws goes where it would end a process. */
function callback({ options }: Run, act: AnyFunction, argumentList: ReadonlyArray<never>): () => void {
  const inContext = AsyncLocalStorage.snapshot()
  return () => {
    try {
      inContext(act, ...argumentList)
    } catch (error) {
      options.programs?.uncaught(error)
    }
  }
}

/** A promise of `timers/promises`. */
function waiting(options: unknown, set: (done: (value?: unknown) => void) => ProgramTimer): Promise<unknown> {
  const { signal } = (options ?? {}) as { readonly signal?: AbortSignal }
  return new Promise((resolve, reject) => {
    const abort = () => {
      timer?.cancel()
      reject(Object.assign(new Error("The operation was aborted", { cause: signal?.reason }), aborted))
    }
    const timer =
      signal?.aborted === true
        ? undefined
        : set((value) => {
            signal?.removeEventListener("abort", abort)
            resolve(value)
          })
    if (timer === undefined) abort()
    else signal?.addEventListener("abort", abort, { once: true })
  })
}

/** As Node names it. */
const aborted = { name: "AbortError", code: "ABORT_ERR" }

/** Mostly a callback comes first. */
type Arguments = readonly [act: AnyFunction, ...rest: ReadonlyArray<never>]

type AnyFunction = (...argumentList: ReadonlyArray<never>) => unknown

function refusal(api: string, remedy: string, original: AnyFunction | undefined): unknown {
  const trap = function (this: unknown, ...argumentList: ReadonlyArray<never>): unknown {
    if (!isSuspended) return trapped(api, remedy)
    // Without a value the property was a getter that loads its module at first use; nothing of the trap uses one.
    if (original === undefined) throw new Error(`${api} is not loaded`)
    return new.target === undefined
      ? Reflect.apply(original, this, argumentList)
      : Reflect.construct(original, argumentList, new.target)
  }
  if (original === undefined) return trap
  Object.defineProperties(trap, Object.getOwnPropertyDescriptors(original))
  // What hangs on it does the same another way: `fs.realpathSync.native`.
  for (const key of Reflect.ownKeys(original)) {
    const { configurable, enumerable, value } = Object.getOwnPropertyDescriptor(original, key) as PropertyDescriptor
    if (configurable !== true || typeof value !== "function") continue
    const inner = value === original ? trap : refusal(`${api}.${String(key)}`, remedy, value as AnyFunction)
    Object.defineProperty(trap, key, { value: inner, configurable, writable: true, enumerable: enumerable ?? false })
  }
  return trap
}

/** Functions, not classes: those begin with a capital. */
function functionsOf(owner: object): ReadonlyArray<string> {
  return Object.entries(Object.getOwnPropertyDescriptors(owner))
    .filter(([key, { value }]) => typeof value === "function" && key !== "constructor" && !/^[A-Z_]/.test(key))
    .map(([key]) => key)
}

/** Whether a signature by it is another each time. */
function drawsChance(key: unknown): boolean {
  const { key: inner = key, padding } = (key ?? {}) as { readonly key?: unknown; readonly padding?: number }
  const { asymmetricKeyType = "" } = inner instanceof crypto.KeyObject ? inner : crypto.createPrivateKey(key as string)
  return padding === crypto.constants.RSA_PKCS1_PSS_PADDING || !["rsa", "ed25519", "ed448"].includes(asymmetricKeyType)
}

/** Early versions of Node.js 24 tell whoever loads it, at every start, that it may change. */
function sqliteOf(): typeof Sqlite {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return process.getBuiltinModule("node:sqlite")
  } finally {
    process.emitWarning = emitWarning
  }
}

function since(nanos: bigint, [seconds, rest]: readonly [number, number] = [0, 0]): [number, number] {
  const passed = nanos - BigInt(seconds) * 1_000_000_000n - BigInt(rest)
  return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)]
}

function fill<T extends ArrayBufferView>(run: Run, view: T): T {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(run.options.fraction() * 256)
  return view
}

function uuid(bytes: Uint8Array): string {
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const digits = Buffer.from(bytes).toString("hex")
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32]
  ]
    .map(([from, to]) => digits.slice(from, to))
    .join("-")
}
