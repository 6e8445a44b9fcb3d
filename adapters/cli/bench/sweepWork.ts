/**
 * A sweep with one worker and with two, in turns (one, two, two, one), so that whatever slows the machine slows both. The start of the
 * workers counts, as it does for whoever sweeps.
 */
import { sweep } from "../Sweep.ts"
import * as Session from "../Session.ts"
import type { Work } from "./figures.ts"

const scenario = "everything"
/** Of each turn: more than a minute with one worker, so that what each worker compiles anew is a small part. */
const seeds = 320

/** Throws when the results of two turns differ. */
export const sweepWork = async (): Promise<Work> => {
  const turns = [await turn(1), await turn(2), await turn(2), await turn(1)]
  const digests = new Set(turns.map((each) => each.digests.join(" ")))
  if (digests.size > 1) throw new Error("the results depend on the number of workers")
  const millisOf = (jobs: number) =>
    turns.filter((each) => each.jobs === jobs).reduce((sum, { millis }) => sum + millis, 0)
  return {
    count: seeds * 2,
    virtualSeconds: turns
      .filter(({ jobs }) => jobs === 2)
      .reduce((sum, { virtualMicros }) => sum + virtualMicros / 1_000_000, 0),
    millis: millisOf(2),
    baselineMillis: millisOf(1)
  }
}

async function turn(jobs: number) {
  const names = Array.from({ length: seeds }, (_, index) => String(index + 1))
  const requests = Session.requestsOf([scenario], names, { strategy: "random" })
  const started = performance.now()
  const supervisor = Session.supervise(undefined, jobs)
  try {
    const results = await sweep({
      supervisor,
      requests,
      jobs,
      budgetMillis: undefined,
      onResult: ({ digest, virtualMicros }) => ({ digest, virtualMicros }),
      isStopped: () => false
    })
    return {
      jobs,
      millis: performance.now() - started,
      digests: results.map(({ digest }) => digest),
      virtualMicros: results.reduce((sum, each) => sum + each.virtualMicros, 0)
    }
  } finally {
    await supervisor.close()
  }
}
