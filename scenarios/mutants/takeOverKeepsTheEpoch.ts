import type { Mutant } from "./Mutant.ts"

// covers A18, A20
export const takeOverKeepsTheEpoch: Mutant = {
  name: "take-over-keeps-the-epoch",
  why: "A change of holder does not raise the epoch: the fence of the old one still fits.",
  incident: "checkers.md 5.1, rule 1",
  edits: [
    {
      file: "core/lease/Lease.ts",
      find: "            epoch: add(existing.epoch, 1),\n            acquiredAt",
      replace: "            epoch: existing.epoch,\n            acquiredAt"
    }
  ]
}
