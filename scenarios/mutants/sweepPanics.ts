import type { Mutant } from "./Mutant.ts"

// covers A14
export const sweepPanics: Mutant = {
  name: "sweep-panics",
  why: "The leader's sweep throws whenever it has given somebody up; its supervisor starts the process again, and nobody looks.",
  incident: "table A, A14: one bad record, a restart loop",
  edits: [
    {
      file: "core/heartbeat/HeartbeatSweep.ts",
      find: "        yield* Mark.hit(givesUp, given.length > 0)",
      replace:
        "        if (given.length > 0) throw new TypeError('no such field'); yield* Mark.hit(givesUp, given.length > 0)"
    }
  ]
}
