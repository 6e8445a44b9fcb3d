/**
 * What a test fails with: the screen of the small failure as its message, and a stack of one frame, the line that declares the test.
 */
export class SimFailure extends Error {
  static {
    // Of the prototype: reporters print what an error has of its own.
    Object.defineProperty(this.prototype, "name", { value: "SimFailure" })
  }

  constructor(message: string, declaredAt: string) {
    super(message)
    this.stack = `SimFailure: ${message}\n${declaredAt}`
  }
}

/** The frame of whoever called the function, as V8 writes it. */
export const frameOf = (called: (...argumentList: ReadonlyArray<never>) => unknown): string => {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, called)
  return holder.stack?.split("\n").find((line) => /^\s+at /.test(line)) ?? ""
}
