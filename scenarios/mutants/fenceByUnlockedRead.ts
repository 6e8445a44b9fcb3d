import type { Mutant } from "./Mutant.ts"

export const fenceByUnlockedRead: Mutant = {
  name: "fence-by-unlocked-read",
  why: "The epoch is compared by an unlocked read inside the transaction: a take-over between the read and the commit goes unseen.",
  incident: "effect/cluster: check and write on different snapshots (control-plane.md, finding 2)",
  edits: [
    {
      file: "core/fleet/FleetScaler.ts",
      find: 'import { Storage } from "../ports/Storage.ts"',
      replace: 'import { leases, Storage } from "../ports/Storage.ts"'
    },
    {
      file: "core/fleet/FleetScaler.ts",
      find: "        if (fleet === undefined) return done\n",
      replace:
        "        if (fleet === undefined || (yield* tx.get(leases, { key: grant.lease }))?.epoch !== grant.epoch) return done\n"
    },
    {
      file: "core/fleet/FleetScaler.ts",
      find: '{ label: "fleet/scale", fences: grant.fences }',
      replace: '{ label: "fleet/scale" }'
    }
  ]
}
