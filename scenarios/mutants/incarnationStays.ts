import type { Mutant } from "./Mutant.ts"

export const incarnationStays: Mutant = {
  name: "incarnation-stays",
  why: "A process that joins again gets the incarnation of the one before, and is taken for it.",
  incident: "leases held under a host's name, which its next process bears as well",
  edits: [
    {
      file: "core/member/Member.ts",
      find: "incarnation: add(existing.incarnation, 1),",
      replace: "incarnation: existing.incarnation,"
    }
  ]
}
