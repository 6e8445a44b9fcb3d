import type { Mutant } from "./Mutant.ts"

export const silenceIsLife: Mutant = {
  name: "silence-is-life",
  why: "An end that has fallen silent is pinged for ever, and never given up.",
  incident: "webdis #54: connections of clients that are gone stay for 20 hours",
  suite: { file: "sim/network/NetworkContract.test.ts", test: "noticed at both ends" },
  edits: [
    {
      file: "core/socket/LiveSocket.ts",
      find: "while (!Hearing.isLost(hearing, limits.silentIntervalsMax))",
      replace: "while (hearing.heard >= 0)"
    }
  ]
}
