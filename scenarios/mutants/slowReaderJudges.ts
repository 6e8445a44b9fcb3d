import type { Mutant } from "./Mutant.ts"

export const slowReaderJudges: Mutant = {
  name: "slow-reader-judges",
  why: "An end whose program reads nothing hears no ping, and takes its own deafness for the other's silence.",
  incident: "WebSocket-Node #229: keepalive fails for large transfers over slow links",
  suite: { file: "core/socket/Hearing.test.ts", test: "lost exactly when" },
  edits: [
    {
      file: "core/socket/Hearing.ts",
      find: "isPaused || heard !== before.heard",
      replace: "heard !== before.heard"
    }
  ]
}
