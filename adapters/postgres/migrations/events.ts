/** Version 16: what has happened to fleets and instances. The change feed tells nothing of it; its rows are guarded as those of version 13 are. */
import type { Migration } from "./Migration.ts"
import { guardedTables as guardedBefore } from "./tenants.ts"

/** The tables that are guarded. */
export const guardedTables = [...guardedBefore, "events"]

export const events: Migration = {
  version: 16,
  name: "events",
  oldestProgram: 1,
  tables: ["events"],
  statements: [
    `create table "events" (
  "id" text collate "C" not null,
  "project" text collate "C" not null,
  "fleet" text collate "C",
  "instance" text collate "C",
  "kind" text collate "C" not null,
  "detail" text collate "C" not null,
  "at" timestamptz not null,
  constraint "events_pkey" primary key ("project", "at", "id")
)`,
    `create or replace function "stormglass_check_events"("events" "events") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("events"."at" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'events_at_range'
    when not ((not ("events"."fleet" is null) or not ("events"."instance" is null))) then 'events_isOfSomething'
    when not ("events"."kind" = any (array['StartFailed', 'Vanished', 'HeartbeatStale', 'Recovered', 'Replaced', 'Parked', 'Redriven', 'Scaled', 'Paused', 'Resumed', 'DeletionRequested', 'Removed']::text[])) then 'events_kind_check'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'events', violated
    using errcode = 'check_violation', table = 'events', constraint = violated;
end $check$`,
    `alter table "events" add constraint stormglass_check check ("stormglass_check_events"("events".*))`,
    `create index "events_idx_project_fleet_at_id" on "events" ("project", "fleet", "at", "id")`,
    `create index "events_idx_project_instance_at_id" on "events" ("project", "instance", "at", "id")`,
    `create index "events_idx_at" on "events" ("at")`,
    `alter table "events" enable row level security`,
    `alter table "events" force row level security`,
    `create policy stormglass_tenant on "events" using (stormglass_sees("project")) with check (stormglass_sees("project"))`
  ]
}
