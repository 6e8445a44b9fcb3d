import type { Mutant } from "./Mutant.ts"

export const watchGoesOnFromNow: Mutant = {
  name: "watch-goes-on-from-now",
  why: "A token that is older than what is kept is taken for the present one.",
  incident: "etcd #18089, #19179: a watch loses an event that was compacted",
  runsIn: "watch/",
  edits: [
    {
      file: "core/watch/Watch.ts",
      find: "  feed.poll(after).pipe(\n",
      replace:
        "  feed.poll(after).pipe(Effect.catch(() => Effect.flatMap(feed.list([]), ({ cursor }) => feed.poll(cursor))),\n"
    }
  ]
}
