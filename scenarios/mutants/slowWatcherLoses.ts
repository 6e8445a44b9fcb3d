import type { Mutant } from "./Mutant.ts"

export const slowWatcherLoses: Mutant = {
  name: "slow-watcher-loses",
  why: "What waits for a slow watcher is forgotten, and the watcher not cut off.",
  incident: "etcd #17529: a watcher that starves",
  runsIn: "watch/",
  edits: [
    {
      file: "core/watch/Watch.ts",
      find: "      this.end()\n      this.#fiber?.interruptUnsafe()\n      return false",
      replace: "      //\n      //\n      return true"
    }
  ]
}
