import type { Mutant } from "./Mutant.ts"

// covers A20
export const noFence: Mutant = {
  name: "no-fence",
  why: "Transactions carry no fence: a deposed owner writes as before.",
  incident: "table A, A20; Jepsen on etcd locks",
  edits: [
    {
      file: "core/lease/LeaseKeeper.ts",
      find: "fences: [lease.fence]",
      replace: "fences: []"
    }
  ]
}
