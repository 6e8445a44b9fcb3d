/**
 * What the process of an instance that failed wrote last, and how it ended: kept beside the instances for whoever looks for the cause. Bounded:
 * the last `bytesMax` of each, of the last `filesMax` that failed.
 */
import fs from "node:fs"
import path from "node:path"

const bytesMax = 65_536
/** Of all instances of an agent together. */
export const filesMax = 100
const linesMax = 5
const lineCharsMax = 400

interface Ended {
  readonly uid: string
  /** "its process ended with code 3". */
  readonly how: string
  /** What it wrote; it moves from there. */
  readonly log: string
}

interface Kept {
  readonly file: string
  /** Its last lines, as one; empty when it wrote nothing. */
  readonly lastLines: string
}

/** Throws what the disk says. */
export const keepOutput = (directory: string, { how, log, uid }: Ended): Kept => {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  // Names that begin with the time: the oldest is the first.
  const time = new Date().toISOString().replaceAll(":", "-")
  const file = path.join(directory, `${time}-${encodeURIComponent(uid)}.log`)
  const { bytes, leftOut } = endOfFile(log)
  const before = leftOut === 0 ? "" : `stormglass: ${leftOut} bytes before this are not kept\n`
  const after = `${bytes.length === 0 || bytes.at(-1) === 0x0a ? "" : "\n"}stormglass: ${how}\n`
  fs.writeFileSync(file, Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]), { mode: 0o600 })
  fs.rmSync(log, { force: true })
  const names = fs.readdirSync(directory).toSorted()
  for (const name of names.slice(0, -filesMax)) fs.rmSync(path.join(directory, name), { force: true })
  return { file, lastLines: lastLinesOf(bytes.toString("utf8")) }
}

/** In one line that shows on a terminal as it is written. */
export const lastLinesOf = (text: string): string =>
  text
    .trimEnd()
    .split("\n")
    .slice(-linesMax)
    .join("\n")
    .slice(-lineCharsMax)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (control) =>
      control === "\n" ? String.raw`\n` : String.raw`\u{${control.codePointAt(0)!.toString(16)}}`
    )

function endOfFile(file: string): { readonly bytes: Buffer; readonly leftOut: number } {
  // Made when it is not there: a disk may have been too full for it.
  const opened = fs.openSync(file, "a+", 0o600)
  try {
    const { size } = fs.fstatSync(opened)
    const bytes = Buffer.alloc(Math.min(size, bytesMax))
    const read = fs.readSync(opened, bytes, 0, bytes.length, size - bytes.length)
    return { bytes: bytes.subarray(0, read), leftOut: size - bytes.length }
  } finally {
    fs.closeSync(opened)
  }
}
