/** Version 14: what was done in a project is found in the audit log, the newest first. */
import type { Migration } from "./Migration.ts"

export const operations: Migration = {
  version: 14,
  name: "operations",
  oldestProgram: 1,
  tables: [],
  statements: [`create index "audit_log_idx_project_at_id" on "audit_log" ("project", "at", "id")`]
}
