/**
 * The directory of an embedded database: whose it is, and whether it can be used. One process at a time, because PGlite has
 * no lock of its own and two would destroy the data.
 *
 * - D1 The lock is a file beside the directory that names a process and when that began, so that a process id used again
 *   (as in a restarted container) is not mistaken for a living owner. What a dead one left behind is taken over.
 * - D2 A directory that is refused is not touched; one that is made is made whole, under another name first.
 * Absent: file systems shared by several machines, whose processes cannot be seen from here.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { majorVersion } from "./Pglite.ts"

/** Why a directory cannot be used, in one line. */
export class DataDirectoryRefused extends Schema.TaggedError<DataDirectoryRefused>()("DataDirectoryRefused", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.directory}: ${this.detail}`
  }
}

export type Contents = "nothing yet" | "a database"

/** Locks the directory for as long as the scope lives, and says what is in it. */
export const acquire = (directory: string): Effect.Effect<Contents, DataDirectoryRefused, Scope.Scope> => {
  const refuse = (detail: string) => new DataDirectoryRefused({ directory, detail })
  const attempt = <A>(body: () => A | DataDirectoryRefused): Effect.Effect<A, DataDirectoryRefused> =>
    Effect.suspend(() => {
      try {
        const result = body()
        return result instanceof DataDirectoryRefused ? Effect.fail(result) : Effect.succeed(result)
      } catch (error) {
        return Effect.fail(refuse(`it cannot be used: ${errorText(error)}`))
      }
    })
  return Effect.gen(function* () {
    // Before the lock, so that nothing at all is written beside what is not ours.
    yield* attempt(() => look(directory, refuse))
    yield* Effect.acquireRelease(
      attempt(() => lock(directory, refuse)),
      () => Effect.sync(() => fs.rmSync(lockOf(directory), { force: true }))
    )
    // And again behind it: another process may have made the database meanwhile.
    return yield* attempt(() => look(directory, refuse))
  })
}

interface Owner {
  readonly pid: number
  /** When the process began, as the system counts; equal for equal processes only. */
  readonly began: string
}

const lockOf = (directory: string): string => `${path.resolve(directory)}.lock`

function look(directory: string, refuse: (detail: string) => DataDirectoryRefused): Contents | DataDirectoryRefused {
  if (!fs.existsSync(directory)) return "nothing yet"
  if (!fs.statSync(directory).isDirectory()) return refuse("it is not a directory")
  const entries = fs.readdirSync(directory)
  if (entries.length === 0) return "nothing yet"
  if (!entries.includes("PG_VERSION")) {
    return refuse("it holds something else than a database: name another directory, or an empty one")
  }
  const version = fs.readFileSync(path.join(directory, "PG_VERSION"), "utf8").trim()
  if (version === String(majorVersion)) return "a database"
  return refuse(
    `its data are of Postgres ${version}, and this is ${majorVersion}: dump them with ${version}, or name another directory`
  )
}

function lock(directory: string, refuse: (detail: string) => DataDirectoryRefused): void | DataDirectoryRefused {
  const file = lockOf(directory)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const own: Owner = { pid: process.pid, began: beganOf(process.pid) ?? "" }
  const draft = `${file}.${process.pid}`
  fs.writeFileSync(draft, JSON.stringify(own))
  try {
    // A link appears whole or not at all, and never over another.
    for (let attempts = 0; attempts < 10; attempts++) {
      if (linked(draft, file)) return undefined
      const owner = readOwner(file)
      if (owner !== undefined && isAlive(owner)) {
        return refuse(`process ${owner.pid} has it open: end that one, or name another directory`)
      }
      // Of several that find the owner dead, one moves the file away; what it moved must still be the dead one's.
      const away = `${draft}.stale`
      if (!renamed(file, away)) continue
      const moved = readOwner(away)
      if (moved !== undefined && isAlive(moved)) linked(away, file)
      fs.rmSync(away, { force: true })
    }
    return refuse("its lock changes hands all the time: try again")
  } finally {
    fs.rmSync(draft, { force: true })
  }
}

/** False when there is a file of that name. */
function linked(existing: string, name: string): boolean {
  try {
    fs.linkSync(existing, name)
    return true
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  }
}

/** False when there is no such file any more. */
function renamed(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false
    throw error
  }
}

/** Undefined when nobody can be read from the file: it was cut short, or is gone. */
function readOwner(file: string): Owner | undefined {
  try {
    const { began, pid } = JSON.parse(fs.readFileSync(file, "utf8")) as Partial<Owner>
    return typeof pid === "number" && typeof began === "string" ? { pid, began } : undefined
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) === "ENOENT") return undefined
    throw error
  }
}

function isAlive({ began, pid }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    if (codeOf(error) === "ESRCH") return false
  }
  const now = beganOf(pid)
  return now === undefined || began === "" || now === began
}

/** When the process began; undefined where that cannot be learned, and then its id alone must do. */
function beganOf(pid: number): string | undefined {
  try {
    // The 22nd field, counted behind the name, which may hold anything but ends with the last parenthesis.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error
  }
  const { status, stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" })
  return status === 0 ? stdout.trim() : undefined
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
