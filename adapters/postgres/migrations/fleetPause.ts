/** Version 9: fleets that are paused. */
import type { Migration } from "./Migration.ts"

export const fleetPause: Migration = {
  version: 9,
  name: "fleet-pause",
  oldestProgram: 1,
  tables: [],
  statements: [
    `alter table "fleets" add column "pausedAt" timestamptz`,
    `create or replace function "stormglass_check_fleets"("fleets" "fleets") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("fleets"."bucketGroup" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_bucketGroup_range'
    when not ("fleets"."bucket" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_bucket_range'
    when not ("fleets"."createdAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_createdAt_range'
    when not ("fleets"."deletionRequestedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_deletionRequestedAt_range'
    when not (("fleets"."desired" >= 0::bigint and "fleets"."desired" <= 1000::bigint)) then 'fleets_desiredIsBounded'
    when not ("fleets"."desired" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_desired_range'
    when not ("fleets"."dueAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_dueAt_range'
    when not ("fleets"."generation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_generation_range'
    when not (("fleets"."bucket" >= ("fleets"."bucketGroup" * 32::bigint) and "fleets"."bucket" < (("fleets"."bucketGroup" * 32::bigint) + 32::bigint))) then 'fleets_isPlaced'
    when not ("fleets"."pausedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_pausedAt_range'
    when not ("fleets"."scaledGeneration" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_scaledGeneration_range'
    when not ("fleets"."scaledGeneration" <= "fleets"."generation") then 'fleets_scaledIsPast'
    when not ("fleets"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'fleets', violated
    using errcode = 'check_violation', table = 'fleets', constraint = violated;
end $check$`
  ]
}
