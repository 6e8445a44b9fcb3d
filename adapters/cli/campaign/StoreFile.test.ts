/** When the disk has what was written: on a clock of the test's own. */
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { commandLine } from "../CommandLine.fixture.ts"
import { campaign } from "./arbitraryRuns.fixture.ts"
import { StoreFile, type Sync } from "./StoreFile.ts"

const { at } = commandLine()

describe("the file of a store", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }))
  afterEach(() => void vi.useRealTimers())

  /** A store on a disk that answers when it is told to. */
  const opened = () => {
    const asked: Array<(error: Error | null) => void> = []
    const disk: Sync = (_file, told) => void asked.push(told)
    const store = StoreFile.open(at("night.ndjson"), campaign, disk)
    return { store, asked, done: (error: Error | null = null) => asked.at(-1)?.(error) }
  }

  it("is synced within a second of the last line, when nothing comes after it", () => {
    const { asked, done, store } = opened()
    vi.advanceTimersByTime(400)
    store.append("one")
    assert.strictEqual(asked.length, 0)
    vi.advanceTimersByTime(1_000)
    assert.strictEqual(asked.length, 1)
    done()
    vi.advanceTimersByTime(60_000)
    assert.strictEqual(asked.length, 1)

    store.append("two, after a quiet minute")
    assert.strictEqual(asked.length, 2)
    store.append("three, while the disk is at it")
    done()
    vi.advanceTimersByTime(1_000)
    assert.strictEqual(asked.length, 3)
    done()
    store.close()
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("is synced again after a disk that failed, and no more once it is closed", () => {
    const { asked, done, store } = opened()
    vi.advanceTimersByTime(1_000)
    done(new Error("no space left"))
    vi.advanceTimersByTime(1_000)
    assert.strictEqual(asked.length, 2)
    store.append("one")
    store.close()
    done()
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.strictEqual(asked.length, 2)
  })
})
