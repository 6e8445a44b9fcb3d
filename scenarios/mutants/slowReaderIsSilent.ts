import type { Mutant } from "./Mutant.ts"

export const slowReaderIsSilent: Mutant = {
  name: "slow-reader-is-silent",
  why: "Only answers to pings count as signs of life, so that a reader that is busy is given up; no end pings.",
  incident: "nexus #245: a client that is blocked answers no ping, and is dropped",
  suite: { file: "sim/network/NetworkContract.test.ts", test: "waits while" },
  edits: [
    {
      file: "core/socket/LiveSocket.ts",
      find: "      transport.ping()",
      replace: "      if (transport.heard < 0) transport.ping()"
    }
  ]
}
