import type { Mutant } from "./Mutant.ts"

export const parkedIsWorkedOn: Mutant = {
  name: "parked-is-worked-on",
  why: "Parked in name only: the row stays due, and the plan does not ask whether it is parked.",
  incident: "dead letters that are still delivered",
  runsIn: "fleet/poisoned",
  edits: [
    {
      file: "core/instance/InstancePlan.ts",
      find: "  if (Parking.isParked(instance)) return settle",
      replace: "  if (instance.parkedAt === 0) return settle"
    },
    {
      file: "core/instance/Instance.ts",
      find: "        parkedAt: clockTimestamp,\n        revision: add(row.revision, 1),\n        updatedAt: clockTimestamp,\n        dueAt: null",
      replace:
        "        parkedAt: clockTimestamp,\n        revision: add(row.revision, 1),\n        updatedAt: clockTimestamp,\n        dueAt: clockTimestamp"
    }
  ]
}
