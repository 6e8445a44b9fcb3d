/**
 * What the process of an instance that failed wrote last, and how it ended: kept beside the instances for whoever looks for the cause. Bounded:
 * the last `bytesMax` of each, of the last `filesMax` that failed.
 */
import fs from "node:fs"
import path from "node:path"
import { stripVTControlCharacters } from "node:util"
import { escaped } from "../../core/ports/Text.ts"
import { endOf, removeOutput } from "./OutputFile.ts"

const bytesMax = 65_536
/** Of all instances of an agent together. */
export const filesMax = 100
const linesMax = 5
const lineCharsMax = 400

interface Ended {
  readonly uid: string
  /** "exited with code 3". */
  readonly how: string
  /** What it wrote; it moves from there. */
  readonly log: string
}

interface Kept {
  readonly file: string
  /** Its last lines, as one; empty when it wrote nothing. */
  readonly lastLines: string
  /** The one that says most; empty when it wrote nothing. */
  readonly lastLine: string
}

/** Throws what the disk says. */
export const keepOutput = (directory: string, { how, log, uid }: Ended): Kept => {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  // Names that begin with the time: the oldest is the first.
  const time = new Date().toISOString().replaceAll(":", "-")
  const file = path.join(directory, `${time}-${encodeURIComponent(uid)}.log`)
  const { bytes, leftOut } = endOf(log, bytesMax)
  const before = leftOut === 0 ? "" : `stormglass: ${leftOut} bytes before this are not kept\n`
  const after = `${bytes.length === 0 || bytes.at(-1) === 0x0a ? "" : "\n"}stormglass: ${how}\n`
  fs.writeFileSync(file, Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]), { mode: 0o600 })
  removeOutput(log)
  const names = fs.readdirSync(directory).toSorted()
  for (const name of names.slice(0, -filesMax)) fs.rmSync(path.join(directory, name), { force: true })
  const text = bytes.toString("utf8")
  return { file, lastLines: lastLinesOf(text), lastLine: lastLineOf(text) }
}

/** In one line that shows on a terminal as it is written. */
export const lastLinesOf = (text: string): string =>
  escaped(text.trimEnd().split("\n").slice(-linesMax).join("\n").slice(-lineCharsMax))

/** What a runtime writes after the error: frames of the stack, which are set in, brackets that close, and its own version. */
const saysLittle = /^(\s|[^\p{L}\p{N}]*$|Node\.js v\d)/u

/** The last line that is no frame of a stack, without colours; the last at all where there is no other. */
export const lastLineOf = (text: string): string => {
  const lines = stripVTControlCharacters(text)
    .split("\n")
    .filter((line) => line.trim() !== "")
  return (lines.findLast((line) => !saysLittle.test(line)) ?? lines.at(-1) ?? "").trim()
}
