/**
 * Whether the files without which Postgres cannot even begin are there and whole. Postgres itself finds out only while it
 * recovers, and by then it has written; this only reads.
 *
 * Looked at: the control file and the maps of the catalogs, by their checksums; the catalogs that the maps name; the log
 * from which a recovery starts. Absent: tables of users, whose damage Postgres reports to whoever reads them; and the tail of
 * the log, which is cut off wherever a process was killed. Offsets are those of Postgres 18, as PGlite is built.
 */
import fs from "node:fs"
import path from "node:path"
import { controlFileOf, wholeOf } from "./wholeOf.ts"

/** What is wrong, and in which file; undefined when Postgres can try. Throws what the system refuses. */
export const dataProblem = (directory: string): string | undefined => {
  const control = controlFileOf(directory)
  if (typeof control === "string") return control
  for (const needed of [...needFiles, ...databases.map((name) => `${name}/PG_VERSION`)]) {
    if (!fs.statSync(path.join(directory, needed), { throwIfNoEntry: false })?.isFile()) return `${needed} is missing`
  }
  for (const needed of needEntries) {
    const full = path.join(directory, needed)
    if (!fs.existsSync(full) || fs.readdirSync(full).length === 0) return `${needed} is missing or empty`
  }
  return (
    catalogProblem(directory, "global", sharedCatalogs) ??
    databases.map((name) => catalogProblem(directory, name, catalogs)).find((problem) => problem !== undefined) ??
    logProblem(directory, control)
  )
}

/** Where the checksum of a map stands, of all that is before it. */
const mapCrcAt = 520
const pageBytes = 8192
const segmentBytes = 16 * 1024 * 1024
const segmentsPerName = 2n ** 32n / BigInt(segmentBytes)

/** template1, template0 and postgres, whose numbers are fixed. */
const databases: ReadonlyArray<string> = ["base/1", "base/4", "base/5"]
const needFiles: ReadonlyArray<string> = ["postgresql.conf", "pg_hba.conf"]
const needEntries: ReadonlyArray<string> = ["pg_xact", "pg_multixact/members", "pg_multixact/offsets"]

/** Never without a row: pg_database and pg_authid; pg_class, pg_attribute, pg_proc and pg_type. */
const sharedCatalogs: ReadonlyArray<number> = [1262, 1260]
const catalogs: ReadonlyArray<number> = [1259, 1249, 1255, 1247]

/** A map says which file holds which of the catalogs that must be found before any can be read. */
function catalogProblem(directory: string, home: string, never: ReadonlyArray<number>): string | undefined {
  const map = wholeOf(directory, `${home}/pg_filenode.map`, mapCrcAt)
  if (typeof map === "string") return map
  for (let nth = 0; nth < map.readInt32LE(4); nth++) {
    const [relation, file] = [map.readUInt32LE(8 + 8 * nth), map.readUInt32LE(12 + 8 * nth)]
    const found = fs.statSync(path.join(directory, home, String(file)), { throwIfNoEntry: false })
    if (found === undefined) return `${home}/${file} is missing`
    if (never.includes(relation) && found.size < pageBytes) return `${home}/${file} is cut short`
  }
  return undefined
}

/** The segment that holds the place from which a recovery would start, and the one with the latest checkpoint. */
function logProblem(directory: string, control: Buffer): string | undefined {
  const timeline = control.readUInt32LE(48)
  for (const place of [control.readBigUInt64LE(40), control.readBigUInt64LE(32)]) {
    const segment = place / BigInt(segmentBytes)
    const name = `pg_wal/${[BigInt(timeline), segment / segmentsPerName, segment % segmentsPerName].map(hex).join("")}`
    const file = path.join(directory, name)
    const size = fs.statSync(file, { throwIfNoEntry: false })?.size
    if (size === undefined) return `${name} is missing`
    if (size !== segmentBytes) return `${name} is cut short`
    const head = Buffer.alloc(32)
    const descriptor = fs.openSync(file, "r")
    try {
      fs.readSync(descriptor, head)
    } finally {
      fs.closeSync(descriptor)
    }
    // The number by which a database knows its own log.
    if (head.readBigUInt64LE(24) !== control.readBigUInt64LE(0)) return `${name} is not the log of this database`
  }
  return undefined
}

function hex(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, "0")
}
