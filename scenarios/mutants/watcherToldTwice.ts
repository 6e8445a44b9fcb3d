import type { Mutant } from "./Mutant.ts"

export const watcherToldTwice: Mutant = {
  name: "watcher-told-twice",
  why: "What a watcher has been told while it joined, the follower tells it again.",
  incident: "Kong sync v2: what a transaction wrote is seen by two polls",
  runsIn: "watch/",
  edits: [
    {
      file: "core/watch/Watch.ts",
      find: "!this.#told.has(transactionId)",
      replace: "transactionId >= 0"
    }
  ]
}
