import type { Mutant } from "./Mutant.ts"

export const renewalSetsTheEpoch: Mutant = {
  name: "renewal-sets-the-epoch",
  why: "Each renewal raises the epoch: it waits for whoever writes under the fence, and deposes its own work.",
  incident: "measured: a renewal that conflicts with the fence starves behind sixteen overlapping writers",
  edits: [
    {
      file: "core/lease/Lease.ts",
      find: "      set: () => ({\n        renewedAt: clockTimestamp,",
      replace: "      set: (row) => ({\n        epoch: add(row.epoch, 1), renewedAt: clockTimestamp,"
    }
  ]
}
