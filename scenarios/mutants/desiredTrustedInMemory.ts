import type { Mutant } from "./Mutant.ts"

// covers A15, A34
export const desiredTrustedInMemory: Mutant = {
  name: "desired-trusted-in-memory",
  why: "The desired count that was read first is trusted for as long as the process lives.",
  incident: "table A, A15 and A34: desired count trusted in memory",
  edits: [
    {
      file: "core/fleet/FleetScaler.ts",
      find: 'const shrinks = Mark.sometimes("fleet scaled down")',
      replace:
        'const shrinks = Mark.sometimes("fleet scaled down"), memory = new WeakMap(), recall = (storage: object, id: string, desired: number): number => { const known = memory.get(storage) ?? new Map(); memory.set(storage, known); if (!known.has(id)) known.set(id, desired); return known.get(id) }'
    },
    {
      file: "core/fleet/FleetScaler.ts",
      find: "FleetPlan.planOf(fleet, live, ",
      replace: "FleetPlan.planOf({ ...fleet, desired: recall(transaction, id, fleet.desired) }, live, "
    }
  ]
}
