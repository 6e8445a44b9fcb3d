/**
 * Drives the steps of shrinking and of necessity, wherever the runs take place, for as long as it is given.
 */
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import { type FaultNeed, necessityOf } from "../shrink/Necessity.ts"
import { Shrinker, type Size, sizeOf, type Steps } from "../shrink/Shrinker.ts"

/** Undefined for a candidate that does not fit its own world. */
export type Run = (request: RunRequest) => Promise<RunResult | undefined>

export interface ShrinkOptions {
  /** No run begins after this much host time; what is best by then is the result. */
  readonly budgetMillis: number
  readonly isStopped: () => boolean
  readonly onRun: (runs: number, size: Size) => void
}

export interface Shrunk {
  readonly best: RunResult
  readonly before: Size
  readonly after: Size
  readonly runs: number
  readonly seconds: number
  /** False when it was ended before nothing smaller was left to try. */
  readonly isFinished: boolean
}

export const shrinkFailure = async (run: Run, failure: RunResult, options: ShrinkOptions): Promise<Shrunk> => {
  const started = performance.now()
  const shrinker = new Shrinker(failure)
  const isFinished = await drive(run, shrinker.steps(), started, options, () =>
    options.onRun(shrinker.runs, sizeOf(shrinker.best))
  )
  return {
    best: shrinker.best,
    before: sizeOf(failure),
    after: sizeOf(shrinker.best),
    runs: shrinker.runs,
    seconds: (performance.now() - started) / 1_000,
    isFinished: isFinished._tag === "Done"
  }
}

/** What the small failure needs: undefined when the time was over before it was known. */
export interface Explained extends Shrunk {
  readonly needs: ReadonlyArray<FaultNeed> | undefined
}

/** Shrinks, then asks what is necessary within what time is left, and for a quarter of it at least: once small, a failure is explained. */
export const shrinkAndExplain = async (
  run: Run,
  failure: RunResult,
  options: Omit<ShrinkOptions, "onRun"> & { readonly onRun?: (what: string, runs: number, size: Size) => void }
): Promise<Explained> => {
  const { budgetMillis, isStopped, onRun } = options
  const started = performance.now()
  const within = (what: string, millis: number): ShrinkOptions => ({
    budgetMillis: millis,
    isStopped,
    onRun: (runs, size) => onRun?.(what, runs, size)
  })
  const shrunk = await shrinkFailure(run, failure, within("making it small", budgetMillis))
  const leftMillis = Math.max(budgetMillis / 4, budgetMillis - (performance.now() - started))
  return { ...shrunk, needs: await necessity(run, shrunk.best, within("what it needs", leftMillis)) }
}

/** Undefined when the time was over before it was known. */
const necessity = async (
  run: Run,
  small: RunResult,
  options: ShrinkOptions
): Promise<ReadonlyArray<FaultNeed> | undefined> => {
  let runs = 0
  const size = sizeOf(small)
  const driven = await drive(run, necessityOf(small), performance.now(), options, () => options.onRun(++runs, size))
  return driven._tag === "Done" ? driven.value : undefined
}

type Driven<A> = { readonly _tag: "Done"; readonly value: A } | { readonly _tag: "Ended" }

async function drive<A>(
  run: Run,
  steps: Steps<A>,
  startedMillis: number,
  { budgetMillis, isStopped }: ShrinkOptions,
  onRun: () => void
): Promise<Driven<A>> {
  let next = steps.next()
  while (next.done !== true) {
    if (isStopped() || performance.now() - startedMillis >= budgetMillis) return { _tag: "Ended" }
    next = steps.next(await run(next.value))
    onRun()
  }
  return { _tag: "Done", value: next.value }
}
