import type { Mutant } from "./Mutant.ts"

export const stoppedSaysDone: Mutant = {
  name: "stopped-says-done",
  why: "Whoever is stopped closes with 1000, as if it were done: its peers do not come back.",
  incident: "RFC 6455, 7.4.1: 1001 is for an end that goes away",
  suite: { file: "sim/network/NetworkContract.test.ts", test: "1001" },
  edits: [
    {
      file: "core/socket/LiveSocket.ts",
      find: "? 1001 : 1011",
      replace: "? 1000 : 1011"
    }
  ]
}
