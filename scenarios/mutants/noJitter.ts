import type { Mutant } from "./Mutant.ts"

export const noJitter: Mutant = {
  name: "no-jitter",
  why: "Who failed together dials again together, when it likes: neither spread, nor as long after as was asked.",
  incident: "28: a herd that returns at the same moments is let in a handful at a time",
  runsIn: "sessions/",
  edits: [
    {
      file: "core/client/redial.ts",
      find: "return options.retryAfterSeconds * 1_000 + options.fraction * longest",
      replace: "return longest"
    }
  ]
}
