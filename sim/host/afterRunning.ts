/**
 * A timer over the time in which this process runs: while it is stopped or the machine sleeps, nothing passes, so that nobody is
 * taken to hang who was not let go on.
 */
const sliceMillis = 500

type SetTimer = (then: () => void, millis: number) => () => void

const ofHost: SetTimer = (then, millis) => {
  const timer = setTimeout(then, millis)
  return () => clearTimeout(timer)
}

/** Calls `then` after so many milliseconds of running, however late its slices come. Returns how to give it up. */
export const afterRunning = (millis: number, then: () => void, setTimer: SetTimer = ofHost): (() => void) => {
  let giveUp: () => void
  const wait = (left: number): void => {
    const slice = Math.min(sliceMillis, left)
    giveUp = setTimer(() => (left > slice ? wait(left - slice) : then()), slice)
  }
  wait(millis)
  return () => giveUp()
}
