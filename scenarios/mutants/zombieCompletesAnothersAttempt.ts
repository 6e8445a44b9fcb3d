import type { Mutant } from "./Mutant.ts"

export const zombieCompletesAnothersAttempt: Mutant = {
  name: "zombie-completes-anothers-attempt",
  why: "A worker moves the instance by uid alone: what it read may be long past.",
  incident: "pg-boss and graphile-worker complete by id; River #1213",
  edits: [
    {
      file: "core/instance/Instance.ts",
      find: "    transaction.update(instances, {\n      where: (row) => and(eq(row.uid, read.uid), eq(row.revision, read.revision), eq(row.state, read.state)),\n      set: (row) => ({\n        state: to,",
      replace:
        "    transaction.update(instances, {\n      where: (row) => eq(row.uid, read.uid),\n      set: (row) => ({\n        state: to,"
    }
  ]
}
