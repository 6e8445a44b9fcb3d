import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import { cpuShare, isStarved } from "./cpuShare.ts"

const start = async (program: string): Promise<Worker> => {
  const worker = new Worker(`require("node:worker_threads").parentPort.postMessage(1); ${program}`, { eval: true })
  await once(worker, "message")
  return worker
}

describe("a thread that does not come back", () => {
  it("is waited for again while others have the processor, and not for ever", () => {
    assert.isTrue(isStarved(0.3, 0))
    assert.isTrue(isStarved(0.3, 3))
    assert.isFalse(isStarved(0.3, 4))
  })

  it("is not waited for when it has the processor to itself, or wants none: a loop, a promise that never settles", () => {
    assert.isFalse(isStarved(0.98, 0))
    assert.isFalse(isStarved(0, 0))
  })

  it("is seen to use nothing when it waits, and something when it loops", async () => {
    const waiting = await start("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20000)")
    const looping = await start("for (;;) {}")
    try {
      assert.isBelow((await cpuShare(waiting)) ?? 1, 0.02)
      assert.isAbove((await cpuShare(looping)) ?? 0, 0.02)
    } finally {
      await Promise.all([waiting.terminate(), looping.terminate()])
    }
  })

  it("has no share once it has ended", async () => {
    const worker = await start("")
    await worker.terminate()
    assert.isUndefined(await cpuShare(worker))
  })
})
