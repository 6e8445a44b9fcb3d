/**
 * Whether a directory is that of a Postgres server, which PGlite must not open: it would take the server's pid file for one
 * that was left behind, and the server ends itself when that is gone. This only reads.
 *
 * Two signs, each enough:
 * - a server is running: `postmaster.pid` begins with its process id. PGlite's begins with -42: it is a backend without a
 *   postmaster, which writes its id with a minus.
 * - the control file names another build. It records how the programs that made the cluster were compiled, and Postgres
 *   opens no cluster whose record differs from its own. PGlite's differs from those of servers by `float8ByVal`: its words have 32 bits.
 * Absent: a server in another container, whose processes cannot be seen from here. The second sign is there all the same.
 */
import fs from "node:fs"
import path from "node:path"
import { controlFileOf } from "./wholeOf.ts"
import * as Processes from "./Processes.ts"

/** Why PGlite cannot have the directory, and what to do; undefined when it is no server's. Throws what the system refuses. */
export const serverProblem = (directory: string): string | undefined => {
  const pid = runningOn(directory)
  if (pid !== undefined) {
    return `the Postgres server of process ${pid} is running on it: name that server by DATABASE_URL, or name another directory`
  }
  if (!isOfOtherBuild(directory)) return undefined
  return "its data are of a Postgres server, which PGlite cannot open: start that server and name it by DATABASE_URL, or name another directory"
}

function runningOn(directory: string): number | undefined {
  const file = path.join(directory, "postmaster.pid")
  if (!fs.existsSync(file)) return undefined
  const [line = ""] = fs.readFileSync(file, "utf8").split("\n", 1)
  if (!/^[1-9]\d*$/.test(line)) return undefined
  const pid = Number(line)
  return Processes.find(pid)._tag === "Somebody" ? pid : undefined
}

/** As compiled, by where the control file of Postgres 18 says so. */
const wordsOfBuild: ReadonlyArray<readonly [at: number, value: number]> = [
  [8, 1800], // PG_CONTROL_VERSION
  [12, 202_506_291], // CATALOG_VERSION_NO
  [204, 8], // MAXIMUM_ALIGNOF
  [216, 8192], // BLCKSZ
  [220, 131_072], // RELSEG_SIZE
  [224, 8192], // XLOG_BLCKSZ
  [232, 64], // NAMEDATALEN
  [236, 32], // INDEX_MAX_KEYS
  [240, 1996], // TOAST_MAX_CHUNK_SIZE
  [244, 2048] // LOBLKSIZE
]
const float8ByValAt = 248

/** What is not whole says nothing about who made it. */
function isOfOtherBuild(directory: string): boolean {
  const control = controlFileOf(directory)
  if (typeof control === "string") return false
  return control[float8ByValAt] !== 0 || wordsOfBuild.some(([at, value]) => control.readUInt32LE(at) !== value)
}
