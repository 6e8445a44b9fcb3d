/** A file of Postgres that ends, as far as it counts, with its checksum. */
import fs from "node:fs"
import path from "node:path"

/** The bytes of the file, whose checksum stands at `crcAt`; or what is wrong with it. Throws what the system refuses. */
export const wholeOf = (directory: string, name: string, crcAt: number): Buffer | string => {
  const file = path.join(directory, name)
  if (!fs.existsSync(file)) return `${name} is missing`
  const bytes = fs.readFileSync(file)
  if (bytes.length < crcAt + 4) return `${name} is cut short`
  return bytes.readUInt32LE(crcAt) === crc32c(bytes.subarray(0, crcAt)) ? bytes : `${name} is not what was written`
}

/** The control file: what the cluster is, and where its log ends. */
export const controlFileOf = (directory: string): Buffer | string =>
  wholeOf(directory, "global/pg_control", controlCrcAt)

/** Of Postgres 18. */
const controlCrcAt = 292

/** The checksum of Castagnoli, bit by bit: what it is asked about is short. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}
