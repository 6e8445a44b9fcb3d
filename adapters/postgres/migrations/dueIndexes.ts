/**
 * Version 6: what is due is found by its time, whatever group it is in. The index before began with the group, of which a poll names many,
 * so that it gave no order to stop at.
 */
import type { Migration } from "./Migration.ts"

export const dueIndexes: Migration = {
  version: 6,
  name: "due-indexes",
  oldestProgram: 1,
  tables: [],
  statements: [
    `create index "fleets_idx_dueAt" on "fleets" ("dueAt")`,
    `drop index "fleets_idx_bucketGroup_dueAt"`,
    `create index "instances_idx_dueAt" on "instances" ("dueAt")`,
    `drop index "instances_idx_bucketGroup_dueAt"`
  ]
}
