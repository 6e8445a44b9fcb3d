/**
 * The directory of an embedded database: whose it is, and whether it can be used. One process at a time, because PGlite has
 * no lock of its own and two would destroy the data.
 *
 * - D1 The lock is a claim (`Claims.ts`): a file beside the directory that names a process and when that began, so that a process
 *   id used again (as in a restarted container) is not mistaken for a living owner. What a dead one left behind is removed.
 * - D2 A directory that is refused is not touched; one that is made is made whole, under another name first: that of its maker's
 *   claim, which nobody else can have chosen. Nothing else beside the directory is ever removed.
 * Absent: file systems shared by several machines or containers, whose processes cannot be seen from here.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import crypto from "node:crypto"
import fs from "node:fs"
import path from "node:path"
import * as Claims from "./Claims.ts"
import { dataProblem } from "./dataProblem.ts"
import { majorVersion } from "./Pglite.ts"
import * as Processes from "./Processes.ts"
import { serverProblem } from "./serverProblem.ts"

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

/** A directory that is ours. */
export interface Held {
  readonly contents: Contents
  /** The directory itself, whatever links lead to it. */
  readonly target: string
  /** Where its database may be made; whoever dies over it leaves it to the next owner, who removes it. */
  readonly draft: string
}

/** How often those that begin together are looked at before one of them counts as the owner, and how far apart. */
const looksMax = 50
const lookEveryMillis = 20

/** Locks the directory for as long as the scope lives, and says what is in it. */
export const acquire = (directory: string): Effect.Effect<Held, DataDirectoryRefused, Scope.Scope> =>
  Effect.gen(function* () {
    // Before the lock, so that nothing at all is written beside what is not ours.
    yield* attempt(directory, () => look(directory))
    const place = yield* lock(directory)
    // And again behind it: another process may have made the database meanwhile.
    const contents = yield* attempt(directory, () => look(directory))
    const problem = contents === "a database" ? yield* attempt(directory, () => dataProblem(directory)) : undefined
    if (problem !== undefined) return yield* refusedAsDamaged(directory, problem)
    return { contents, ...place }
  })

/** The data are not whole, or PGlite cannot make anything of them. */
export const refusedAsDamaged = (directory: string, what: string): DataDirectoryRefused =>
  refused(directory, `its data are damaged: ${what}; put back a copy of the directory, or name another one`)

/** The system does not let us have it. */
export const refusedAsUnusable = (directory: string, error: unknown): DataDirectoryRefused =>
  refused(directory, `it cannot be used: ${errorText(error)}`)

/** An empty directory whose place nothing else can take: a mount point, mostly. */
export const refusedAsFixed = (directory: string, error: unknown): DataDirectoryRefused =>
  refused(
    directory,
    `it is empty, and no database can be put in its place (${errorText(error)}): name a directory inside of it`
  )

function refused(directory: string, detail: string): DataDirectoryRefused {
  return new DataDirectoryRefused({ directory, detail })
}

/** What the system refuses, in one line. */
const attempt = <A>(directory: string, body: () => A | DataDirectoryRefused): Effect.Effect<A, DataDirectoryRefused> =>
  Effect.suspend(() => {
    try {
      const result = body()
      return result instanceof DataDirectoryRefused ? Effect.fail(result) : Effect.succeed(result)
    } catch (error) {
      return Effect.fail(refusedAsUnusable(directory, error))
    }
  })

function look(directory: string): Contents | DataDirectoryRefused {
  if (!fs.existsSync(directory)) return "nothing yet"
  if (!fs.statSync(directory).isDirectory()) return refused(directory, "it is not a directory")
  const entries = fs.readdirSync(directory)
  if (entries.length === 0) return "nothing yet"
  if (!entries.includes("PG_VERSION")) {
    return refused(directory, "it holds something else than a database: name another directory, or an empty one")
  }
  const version = fs.readFileSync(path.join(directory, "PG_VERSION"), "utf8").trim()
  const problem = serverProblem(directory)
  if (problem !== undefined) return refused(directory, problem)
  if (version === String(majorVersion)) return "a database"
  if (!/^\d+$/.test(version)) return refusedAsDamaged(directory, "PG_VERSION names no version")
  return refused(
    directory,
    `its data are of Postgres ${version}, and this is ${majorVersion}: dump them with ${version}, or name another directory`
  )
}

/** Waits about a second for those who begin at the same time. */
function lock(directory: string): Effect.Effect<Omit<Held, "contents">, DataDirectoryRefused, Scope.Scope> {
  return Effect.gen(function* () {
    const target = yield* attempt(directory, () => targetOf(directory))
    const prefix = `${target}.lock.`
    const own: Claims.Claim = {
      pid: process.pid,
      began: beganOf(Processes.find(process.pid)),
      token: crypto.randomBytes(8).toString("hex")
    }
    const remove = (claim: Claims.Claim): void => fs.rmSync(prefix + Claims.nameOf(claim), { force: true })
    const hold = Effect.gen(function* () {
      // The name says all: there is no moment at which the claim is there and cannot be read.
      yield* attempt(directory, () => fs.writeFileSync(prefix + Claims.nameOf(own), "", { flag: "wx" }))
      for (let looks = 1; ; looks++) {
        const decision = yield* attempt(directory, () => Claims.decide(own, seenBeside(prefix, own)))
        if (decision._tag === "Take") {
          return yield* attempt(directory, () => {
            removeDrafts(target, own)
            decision.bury.forEach(remove)
          })
        }
        if (decision._tag === "Withdraw" || looks >= looksMax) {
          return yield* refused(directory, ownedBy(decision.for, prefix))
        }
        yield* Effect.sleep(lookEveryMillis)
      }
    })
    const withdraw = Effect.sync(() => remove(own))
    yield* Effect.acquireRelease(
      Effect.onError(hold, () => withdraw),
      () => withdraw
    )
    return { target, draft: draftPrefixOf(target) + Claims.nameOf(own) }
  })
}

/** The directory itself, whatever links lead to it; its parent is made if need be. */
function targetOf(directory: string): string {
  const named = path.resolve(directory)
  if (fs.existsSync(named)) return fs.realpathSync(named)
  const parent = path.dirname(named)
  fs.mkdirSync(parent, { recursive: true })
  return path.join(fs.realpathSync(parent), path.basename(named))
}

function draftPrefixOf(target: string): string {
  return `${target}.draft.`
}

/** Those of the dead. */
function removeDrafts(target: string, own: Claims.Claim): void {
  const prefix = draftPrefixOf(target)
  for (const { claim, isAlive } of seenBeside(prefix, own)) {
    if (!isAlive) fs.rmSync(prefix + Claims.nameOf(claim), { recursive: true, force: true })
  }
}

/** Claims that names with this prefix speak of, one's own apart. */
function seenBeside(prefix: string, own: Claims.Claim): ReadonlyArray<Claims.Seen> {
  const start = path.basename(prefix)
  return fs
    .readdirSync(path.dirname(prefix))
    .filter((name) => name.startsWith(start))
    .map((name) => Claims.parse(name.slice(start.length)))
    .filter((claim) => claim !== undefined)
    .filter(({ token }) => token !== own.token)
    .map((claim) => ({ claim, isAlive: Processes.isSame(claim.began, Processes.find(claim.pid)) }))
}

function beganOf(found: Processes.Found): string {
  return found._tag === "Somebody" ? found.began : ""
}

function ownedBy(claim: Claims.Claim, prefix: string): string {
  // Such a claim may outlive its process: another one of the same id counts as its owner.
  const unless = claim.began === "" ? ` (if that is another program, remove ${prefix}${Claims.nameOf(claim)})` : ""
  return `process ${claim.pid} has it open: end that one, or name another directory${unless}`
}

/** One line of it. */
export const errorText = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] as string
