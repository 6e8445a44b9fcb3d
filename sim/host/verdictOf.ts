/**
 * The verdict on what was thrown past every node: the scenario, an invariant or the simulator itself threw. A program on a node that
 * fails has a verdict of its own.
 */
import type { Verdict } from "../run/Verdict.ts"
import { causeOf } from "./causeOf.ts"
import { Escaped } from "./Trap.ts"

export const verdictOf = (error: unknown, atMicros = 0): Verdict =>
  error instanceof Escaped
    ? { _tag: "escaped", api: error.api, remedy: error.remedy, stack: error.frames.join("\n"), atMicros }
    : { _tag: "crashed", node: "the scenario", cause: causeOf(error), atMicros }
