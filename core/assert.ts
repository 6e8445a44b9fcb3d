/** A failed assertion is a defect of ours: it ends the fiber and, in the simulator, the run. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}
