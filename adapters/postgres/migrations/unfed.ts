/** Version 10: the change feed tells nothing of idempotency keys, which nobody follows: two of the three rows that a request told. */
import { forgetChangesOf } from "../FeedSchema.ts"
import type { Migration } from "./Migration.ts"

export const unfed: Migration = {
  version: 10,
  name: "unfed",
  oldestProgram: 1,
  tables: [],
  statements: forgetChangesOf({ name: "idempotency_keys" })
}
