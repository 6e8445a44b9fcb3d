/** Version 15: how what has failed ended, as its agent says. A program that knows nothing of it leaves it null, or as it was. */
import type { Migration } from "./Migration.ts"

export const causes: Migration = {
  version: 15,
  name: "causes",
  oldestProgram: 1,
  tables: [],
  statements: [`alter table "placements" add column "cause" text collate "C"`]
}
