/** Version 2: where instances run, what agents run on, and when they were last heard. */
import { recordChangesOf } from "../FeedSchema.ts"
import type { Migration } from "./Migration.ts"

export const placements: Migration = {
  version: 2,
  name: "placements",
  oldestProgram: 1,
  tables: ["placements"],
  statements: [
    `alter table "agents" add column "host" text collate "C", add column "process" text collate "C", add column "heardAt" timestamptz`,
    `alter table "agents" add constraint "agents_heardAt_range" check ("heardAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z')`,
    `create table "placements" (
  "uid" text collate "C" not null,
  "agent" text collate "C" not null,
  "attempt" bigint not null,
  "spec" jsonb not null,
  "wanted" text collate "C" not null,
  "observed" text collate "C",
  "observedAt" timestamptz,
  "placedAt" timestamptz not null,
  constraint "placements_pkey" primary key ("uid"),
  constraint "placements_attempt_range" check ("attempt" between -9007199254740991::bigint and 9007199254740991::bigint),
  constraint "placements_wanted_check" check ("wanted" = any (array['run', 'stop']::text[])),
  constraint "placements_observed_check" check ("observed" = any (array['Absent', 'Starting', 'Running', 'Stopping', 'Failed']::text[])),
  constraint "placements_observedAt_range" check ("observedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z'),
  constraint "placements_placedAt_range" check ("placedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z'),
  constraint "placements_observedWithTime" check ((("placements"."observed" is null and "placements"."observedAt" is null) or (not ("placements"."observed" is null) and not ("placements"."observedAt" is null)))),
  constraint "placements_attemptIsCounted" check ("placements"."attempt" >= 1::bigint)
)`,
    `create index "placements_idx_agent_uid" on "placements" ("agent", "uid")`,
    ...recordChangesOf({ name: "placements" })
  ]
}
