/** The lines of several logs, each with the name of its process before it. */
import fs from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

export interface Log {
  readonly name: string
  readonly file: string
}

const lookMillis = 200

/** What is there, log after log, and, when followed, what comes, for ever. A line that has no end yet comes when it has, or last. */
export async function* logLines(
  logs: ReadonlyArray<Log>,
  { isFollowed }: { readonly isFollowed: boolean }
): AsyncGenerator<string> {
  const width = Math.max(...logs.map(({ name }) => name.length))
  const readers = logs.map(({ file, name }) => ({ lines: new Lines(file), prefix: name.padEnd(width) }))
  for (;;) {
    for (const { lines, prefix } of readers) {
      for (const line of lines.next()) yield `${prefix} | ${line}`
      if (!isFollowed && lines.rest !== "") yield `${prefix} | ${lines.rest}`
    }
    if (!isFollowed) return
    await sleep(lookMillis)
  }
}

const chunkBytes = 65_536

/** Reads on where it was, by whole lines. */
class Lines {
  readonly #file: string
  readonly #decoder = new TextDecoder()
  #offset = 0
  /** The beginning of a line. */
  rest = ""

  constructor(file: string) {
    this.#file = file
  }

  *next(): Generator<string> {
    let descriptor: number
    try {
      descriptor = fs.openSync(this.#file, "r")
    } catch (error) {
      // Nothing was said yet.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return
      throw error
    }
    try {
      const bytes = Buffer.alloc(chunkBytes)
      for (;;) {
        const read = fs.readSync(descriptor, bytes, 0, chunkBytes, this.#offset)
        if (read === 0) return
        this.#offset += read
        const lines = (this.rest + this.#decoder.decode(bytes.subarray(0, read), { stream: true })).split("\n")
        this.rest = lines.pop() as string
        yield* lines
      }
    } finally {
      fs.closeSync(descriptor)
    }
  }
}
