/** Version 7: a database that was restored is told from what it was before. */
import { addRestored } from "../FeedSchema.ts"
import type { Migration } from "./Migration.ts"

export const restored: Migration = {
  version: 7,
  name: "restored",
  oldestProgram: 1,
  tables: [],
  statements: [addRestored]
}
