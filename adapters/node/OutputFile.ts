/**
 * What the process of an instance writes, in two files: the present one, `<uid>.log`, and what came before, `<uid>.log.1`.
 *
 * The process itself has the present one open, to append, so that what it writes arrives whoever lives: it has no pipe that a dead agent does not
 * read. So the file cannot be given another name either, as the process would go on writing into that. What is in it is copied, and it is made
 * empty, as logrotate does it (copytruncate). What a process writes between the last reading and that is lost.
 */
import fs from "node:fs"

/** Of each of the two. A process may write more of it before somebody looks. */
export const outputBytesMax = 10 * 1_024 * 1_024
/** How often somebody looks. */
export const outputLookMillis = 1_000
const chunkBytes = 65_536

/** Empties the present file when it has too much, and keeps the end of it; false when it has not. Throws what the disk says, and has emptied it all the same. */
export const rotate = (log: string, bytesMax = outputBytesMax): boolean => {
  const size = fs.statSync(log, { throwIfNoEntry: false })?.size ?? 0
  if (size <= bytesMax) return false
  const source = fs.openSync(log, "r+")
  try {
    copyEnd(source, { log, size, bytesMax })
  } catch (error) {
    // A full disk, most often: it is not filled further for the sake of what was written before.
    remove(`${before(log)}.new`, before(log))
    throw error
  } finally {
    fs.ftruncateSync(source, 0)
    fs.closeSync(source)
  }
  return true
}

/** The last bytes of what was written, and how many came before them. */
export const endOf = (log: string, bytesMax: number): { readonly bytes: Buffer; readonly leftOut: number } => {
  // Made when it is not there: a disk may have been too full for it.
  const present = readEnd(log, bytesMax, "a+")
  const past = fs.existsSync(before(log)) ? readEnd(before(log), bytesMax - present.bytes.length, "r") : nothing
  return { bytes: Buffer.concat([past.bytes, present.bytes]), leftOut: past.leftOut + present.leftOut }
}

export const removeOutput = (log: string): void => remove(log, before(log), `${before(log)}.new`)

const before = (log: string): string => `${log}.1`
const nothing = { bytes: Buffer.alloc(0), leftOut: 0 }

function remove(...files: ReadonlyArray<string>): void {
  for (const file of files) fs.rmSync(file, { force: true })
}

function copyEnd(
  source: number,
  { bytesMax, log, size }: { readonly log: string; readonly size: number; readonly bytesMax: number }
): void {
  const target = fs.openSync(`${before(log)}.new`, "w", 0o600)
  try {
    let position = copy(source, target, size - bytesMax, size)
    fs.renameSync(`${before(log)}.new`, before(log))
    // What has come since, of one who writes faster than this not for ever.
    position = copy(source, target, position, position + bytesMax)
  } finally {
    fs.closeSync(target)
  }
}

/** To where there is nothing more. */
function copy(source: number, target: number, from: number, to: number): number {
  const chunk = Buffer.alloc(chunkBytes)
  let position = from
  while (position < to) {
    const read = fs.readSync(source, chunk, 0, Math.min(chunkBytes, to - position), position)
    if (read === 0) return position
    for (let written = 0; written < read;) written += fs.writeSync(target, chunk, written, read - written)
    position += read
  }
  return position
}

function readEnd(file: string, bytesMax: number, flags: "a+" | "r") {
  const opened = fs.openSync(file, flags, 0o600)
  try {
    const { size } = fs.fstatSync(opened)
    const bytes = Buffer.alloc(Math.min(size, bytesMax))
    const read = fs.readSync(opened, bytes, 0, bytes.length, size - bytes.length)
    return { bytes: bytes.subarray(0, read), leftOut: size - bytes.length }
  } finally {
    fs.closeSync(opened)
  }
}
