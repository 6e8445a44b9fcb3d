/**
 * Whether a thread that does not come back hangs, or has not had its turn: on a busy machine a run takes longer than its patience
 * without being at fault.
 */
import type { Worker } from "node:worker_threads"
import { setTimeout } from "node:timers/promises"

const sampleMillis = 500

/** The part of a processor that the thread had during half a second, from 0 to 1; undefined when it is no more. */
export const cpuShare = async (worker: Worker): Promise<number | undefined> => {
  try {
    const startedMillis = performance.now()
    const before = await worker.cpuUsage()
    await setTimeout(sampleMillis)
    const { system, user } = await worker.cpuUsage(before)
    return (user + system) / 1_000 / (performance.now() - startedMillis)
  } catch {
    // It ended meanwhile, and its end is told by itself.
    return undefined
  }
}

const timesMax = 4

/** Whether to wait for as long again, which was done so many times already: it is at work, and others have most of the processor. */
export const isStarved = (share: number, times: number): boolean => share > 0.02 && share < 0.7 && times < timesMax
