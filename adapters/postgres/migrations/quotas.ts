/** Version 8: how much a project may want. */
import { recordChangesOf } from "../FeedSchema.ts"
import type { Migration } from "./Migration.ts"

export const quotas: Migration = {
  version: 8,
  name: "quotas",
  oldestProgram: 1,
  tables: ["quotas"],
  statements: [
    `create table "quotas" (
  "project" text collate "C" not null,
  "fleetsMax" bigint,
  "instancesMax" bigint,
  "updatedAt" timestamptz not null,
  constraint "quotas_pkey" primary key ("project")
)`,
    `create or replace function "stormglass_check_quotas"("quotas" "quotas") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("quotas"."fleetsMax" between -9007199254740991::bigint and 9007199254740991::bigint) then 'quotas_fleetsMax_range'
    when not ("quotas"."instancesMax" between -9007199254740991::bigint and 9007199254740991::bigint) then 'quotas_instancesMax_range'
    when not ((("quotas"."fleetsMax" is null or "quotas"."fleetsMax" >= 0::bigint) and ("quotas"."instancesMax" is null or "quotas"."instancesMax" >= 0::bigint))) then 'quotas_isNoLess'
    when not ("quotas"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'quotas_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'quotas', violated
    using errcode = 'check_violation', table = 'quotas', constraint = violated;
end $check$`,
    `alter table "quotas" add constraint stormglass_check check ("stormglass_check_quotas"("quotas".*))`,
    ...recordChangesOf({ name: "quotas" })
  ]
}
