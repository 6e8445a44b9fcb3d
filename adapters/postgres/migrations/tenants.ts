/**
 * Version 13: row security on what belongs to projects. A program that knows nothing of it says of no session for which project it works, and sees
 * all rows as before.
 */
import type { Migration } from "./Migration.ts"

const sees = `stormglass_sees("project")`
const seesBelow = `stormglass_sees_below("id")`
const seen = { fleets: sees, fleet_statuses: seesBelow, instances: sees, quotas: sees }

/** The tables that are guarded. */
export const guardedTables = Object.keys(seen)

const guard = ([table, sees]: readonly [string, string]): ReadonlyArray<string> => [
  `alter table "${table}" enable row level security`,
  `alter table "${table}" force row level security`,
  `create policy stormglass_tenant on "${table}" using (${sees}) with check (${sees})`
]

export const tenants: Migration = {
  version: 13,
  name: "tenants",
  oldestProgram: 1,
  tables: [],
  statements: [
    `create or replace function stormglass_sees(project text) returns boolean stable language sql as $$
  select project >= coalesce(nullif(current_setting('stormglass.project', true), ''), '') and project <= coalesce(nullif(current_setting('stormglass.project', true), ''), chr(1114111)) $$`,
    `create or replace function stormglass_sees_below(path text) returns boolean stable language sql as $$
  select path >= coalesce(nullif(current_setting('stormglass.project', true), '') || '/', '') and path < coalesce(nullif(current_setting('stormglass.project', true), '') || '0', chr(1114111)) $$`,
    ...Object.entries(seen).flatMap(guard)
  ]
}
