import type { Mutant } from "./Mutant.ts"

export const watcherJoinsTooSoon: Mutant = {
  name: "watcher-joins-too-soon",
  why: "A watcher goes over to the follower without asking for what came between its own last answer and the follower.",
  incident: "etcd #15271: a watch that resumes on another member",
  runsIn: "watch/",
  edits: [
    {
      file: "core/watch/Watch.ts",
      find: 'this.#phase = "asking"',
      replace: 'this.#phase = "meeting"'
    }
  ]
}
