import * as Cause from "effect/Cause"

/**
 * What failed, one line for each error, for a fact: names and messages, and no stack, whose paths and lines differ between two
 * checkouts of the same program and would make their digests differ. The stack belongs into the log.
 */
export const errorsOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  Cause.prettyErrors(cause).map(({ message, name }) => `${name}: ${message}`)
