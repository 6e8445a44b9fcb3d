import type { Mutant } from "./Mutant.ts"

// covers A22
export const leaderNeverTold: Mutant = {
  name: "leader-never-told",
  why: "Neither a refused renewal nor the deadline tells the holder that it holds nothing any more.",
  incident: "kubernetes #23731, #67651",
  edits: [
    {
      file: "core/lease/LeaseKeeper.ts",
      find: "        if (yield* Deferred.succeed(lease.lost, undefined)) yield* Metrics.increment(Metrics.leasesLost.another)\n",
      replace: "        stillHeld.push(lease)\n"
    },
    {
      file: "core/lease/LeaseKeeper.ts",
      find: "      const standing = Lease.standing(profile, lease.sentAtMicros, nowMicros)\n      switch",
      replace:
        '      const standing: Lease.Standing = { _tag: "Act", untilMicros: nowMicros + 1_000_000 }\n      switch'
    }
  ]
}
