/**
 * Runs whose programs use promises, though the kernel is one synchronous loop: what waits for a promise is run at once, to the last,
 * whenever the kernel asks for it.
 *
 * - O1 `settle` returns only when no microtask and no `process.nextTick` is left, and rejections that nobody handles were reported.
 * - O2 It can do so only in a turn of the host's loop that is not itself what waits for a promise: `inOwnTurn` begins one.
 *
 * V8 starts no microtask while one runs, which is why a run must not begin in one. `process._tickCallback` is what Node itself calls
 * between two callbacks of its loop.
 */

interface WithTicks {
  readonly _tickCallback: () => void
}

/** Held here, since a run may replace what `process` shows. */
const { _tickCallback: tick } = process as unknown as WithTicks
const { setImmediate } = globalThis

export const settle = (): void => tick()

/** Does something in a turn of the loop of its own, in which promises can be settled at will. */
export const inOwnTurn = <A>(body: () => A): Promise<A> =>
  new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(body())
      } catch (error) {
        reject(error as Error)
      }
    })
  })

/** Throws, in one line, when promises cannot be settled here. */
export const requireOwnTurn = (): void => {
  let isSettled = false
  const settles = async (): Promise<void> => {
    await undefined
    isSettled = true
  }
  void settles()
  settle()
  if (isSettled) return
  throw new Error(
    "a world whose programs use promises was run from within an async function, in which none of them can settle: await inOwnTurn(() => …) of sim/host/ownTurn"
  )
}
