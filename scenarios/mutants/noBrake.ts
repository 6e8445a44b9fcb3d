import type { Mutant } from "./Mutant.ts"

// covers A12
export const noBrake: Mutant = {
  name: "no-brake",
  why: "However many fall silent together, each is replaced.",
  incident: "kubernetes #24200: mass eviction",
  edits: [
    {
      file: "core/heartbeat/Heartbeat.ts",
      find: "  counts.late >= brakeCountMin && counts.late > brakeRatio * counts.running",
      replace: "  counts.late < 0 && counts.late >= brakeCountMin && counts.late > brakeRatio * counts.running"
    }
  ]
}
