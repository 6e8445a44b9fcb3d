/**
 * The file of a store: lines are added at its end, and never altered.
 *
 * - F1 A line is handed to the system in one piece when its run has ended: who is killed loses the runs that were under way.
 * - F2 The disk has it within a second or so, and at the end: that is what a loss of power may cost.
 * - F3 What cannot be written ends nothing: it is told, and the runs go on being reported.
 */
import { closeSync, fstatSync, fsync, fsyncSync, openSync, readSync, writeSync } from "node:fs"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { UsageError } from "../Usage.ts"
import { type Campaign, differenceOf } from "./Campaign.ts"
import { campaignLine, type Line, readStore, type Store } from "./readStore.ts"

const chunkBytes = 1 << 20
const syncMillis = 1_000
const newline = 0x0a

/** Undefined for an empty file. Refuses what is no store. */
export const readStoreFile = (path: string): Store | undefined => {
  let file: number
  try {
    file = openSync(path, "r")
  } catch (error) {
    throw new UsageError(`store ${path}: cannot read it: ${reasonOf(error)}`)
  }
  try {
    return readStore(linesOf(file))
  } catch (error) {
    throw new UsageError(`${path} is no store of a campaign: ${reasonOf(error)}`)
  } finally {
    closeSync(file)
  }
}

/** As the `fsync` of Node. */
export type Sync = (file: number, told: (error: Error | null) => void) => void

export class StoreFile {
  readonly path: string
  /** What was in it when it was opened. */
  readonly before: Store
  readonly #file: number
  readonly #fsync: Sync
  #isSyncing = false
  #isDirty = false
  #isClosed = false
  #syncedMillis = performance.now()
  /** What came too soon after the last sync waits for this one: nobody may come after it for long. */
  #timer: NodeJS.Timeout | undefined
  #problem: string | undefined

  private constructor(path: string, file: number, before: Store, sync: Sync) {
    this.path = path
    this.#file = file
    this.before = before
    this.#fsync = sync
  }

  /** Begins a store, or goes on with one of the same campaign. Refuses any other file, which it does not touch. */
  static open(path: string, campaign: Campaign, sync: Sync = fsync): StoreFile {
    let file: number
    try {
      // Read and append; made when it is not there.
      file = openSync(path, "a+")
    } catch (error) {
      throw new UsageError(`--store ${path}: cannot write it: ${reasonOf(error)}`)
    }
    try {
      if (!fstatSync(file).isFile()) throw new UsageError(`--store ${path}: it is no ordinary file`)
      const there = fstatSync(file).size === 0 ? undefined : readStoreFile(path)
      const difference = there === undefined ? undefined : differenceOf(there.campaign, campaign)
      if (difference !== undefined) {
        throw new UsageError(`--store ${path} is of another campaign: ${difference}; name another file for this one`)
      }
      const none: Store = { campaign, runs: [], smalls: [], lost: [], isEnded: true }
      const store = new StoreFile(path, file, there ?? none, sync)
      if (there === undefined) store.append(campaignLine(campaign))
      // A line that was cut stays what it is, and the next one begins its own.
      else if (!there.isEnded) store.append("")
      return store
    } catch (error) {
      closeSync(file)
      throw error
    }
  }

  /** Why lines are not kept any more, if that is so. */
  get problem(): string | undefined {
    return this.#problem
  }

  append(line: string): void {
    if (this.#problem !== undefined) return
    try {
      writeAll(this.#file, Buffer.from(`${line}\n`))
      this.#isDirty = true
      this.#sync()
    } catch (error) {
      this.#problem = `${this.path}: ${reasonOf(error)}`
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#isClosed = true
    try {
      if (this.#isDirty || this.#isSyncing) fsyncSync(this.#file)
    } catch (error) {
      this.#problem ??= `${this.path}: ${reasonOf(error)}`
    } finally {
      closeSync(this.#file)
    }
  }

  /** Beside the runs: they do not wait for the disk. */
  #sync(): void {
    if (this.#isSyncing || this.#timer !== undefined) return
    const leftMillis = this.#syncedMillis + syncMillis - performance.now()
    if (leftMillis > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#sync()
      }, leftMillis)
      // The end syncs by itself.
      this.#timer.unref()
      return
    }
    this.#isSyncing = true
    this.#isDirty = false
    this.#fsync(this.#file, (error) => {
      this.#isSyncing = false
      this.#syncedMillis = performance.now()
      if (error !== null) this.#isDirty = true
      if (this.#isDirty && !this.#isClosed) this.#sync()
    })
  }
}

/** Writes a store anew. Refuses a file that is there: it may be somebody's. */
export const writeStoreFile = (path: string, lines: Iterable<string>): void => {
  let file: number
  try {
    file = openSync(path, "wx")
  } catch (error) {
    throw new UsageError(`--out ${path}: cannot write it: ${reasonOf(error)}`)
  }
  try {
    for (const line of lines) writeAll(file, Buffer.from(`${line}\n`))
    fsyncSync(file)
  } catch (error) {
    throw new UsageError(`--out ${path}: it is not whole: ${reasonOf(error)}`)
  } finally {
    closeSync(file)
  }
}

/** A disk that is almost full takes a part, and refuses the rest the next time. */
function writeAll(file: number, bytes: Buffer): void {
  let written = 0
  while (written < bytes.length) written += writeSync(file, bytes, written)
}

/** Piece by piece: a store may be longer than any text. */
function* linesOf(file: number): Generator<Line> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const toLine = (pieces: ReadonlyArray<Buffer>, isEnded: boolean): Line => {
    try {
      return { text: decoder.decode(Buffer.concat(pieces)), isEnded }
    } catch {
      return { text: undefined, isEnded }
    }
  }
  let pieces: Array<Buffer> = []
  for (;;) {
    const chunk = Buffer.alloc(chunkBytes)
    const length = readSync(file, chunk, 0, chunkBytes, null)
    if (length === 0) break
    let from = 0
    for (let at = chunk.indexOf(newline); at >= 0 && at < length; at = chunk.indexOf(newline, from)) {
      yield toLine([...pieces, chunk.subarray(from, at)], true)
      pieces = []
      from = at + 1
    }
    if (from < length) pieces.push(chunk.subarray(from, length))
  }
  if (pieces.length > 0) yield toLine(pieces, false)
}
