import type { Mutant } from "./Mutant.ts"

export const writerNeverWaits: Mutant = {
  name: "writer-never-waits",
  why: "A write to a WebSocket returns at once, however much waits: what a slow reader does not take grows in the writer.",
  incident: "aiohttp #1367: slow clients fill the server's memory",
  suite: { file: "sim/network/NetworkContract.test.ts", test: "waits while" },
  edits: [
    {
      file: "core/socket/LiveSocket.ts",
      find: "if (transport === undefined || !transport.isFull) return Effect.void",
      replace: "if (transport === undefined || transport.isFull !== undefined) return Effect.void"
    }
  ]
}
