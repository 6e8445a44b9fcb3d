import * as Cause from "effect/Cause"

/**
 * What failed, in one line for a fact: names and messages, and no stack, whose paths and lines differ between two checkouts of the
 * same program and would make their digests differ. The stack belongs into the log.
 */
export const describeCause = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause)
    .map(({ message, name }) => `${name}: ${message}`)
    .join("; ")
