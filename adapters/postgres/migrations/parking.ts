/** Version 11: how often work on a fleet or an instance failed, what is parked, and since when something is ready. */
import type { Migration } from "./Migration.ts"

export const parking: Migration = {
  version: 11,
  name: "parking",
  oldestProgram: 1,
  tables: [],
  statements: [
    `alter table "fleets" add column "failures" bigint, add column "failure" text collate "C", add column "failedAt" timestamptz, add column "parkedAt" timestamptz`,
    `alter table "instances" add column "failures" bigint, add column "failure" text collate "C", add column "failedAt" timestamptz, add column "parkedAt" timestamptz, add column "readyChangedAt" timestamptz`,
    `alter table "fleet_statuses" add column "parked" bigint, add column "ready" text collate "C", add column "readyChangedAt" timestamptz`,
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
    when not ("fleets"."failedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_failedAt_range'
    when not ("fleets"."failures" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_failures_range'
    when not ("fleets"."generation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_generation_range'
    when not (("fleets"."bucket" >= ("fleets"."bucketGroup" * 32::bigint) and "fleets"."bucket" < (("fleets"."bucketGroup" * 32::bigint) + 32::bigint))) then 'fleets_isPlaced'
    when not ("fleets"."parkedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_parkedAt_range'
    when not (("fleets"."parkedAt" is null or not ("fleets"."failure" is null))) then 'fleets_parkedHasCause'
    when not ("fleets"."pausedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_pausedAt_range'
    when not ("fleets"."scaledGeneration" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_scaledGeneration_range'
    when not ("fleets"."scaledGeneration" <= "fleets"."generation") then 'fleets_scaledIsPast'
    when not ("fleets"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'fleets', violated
    using errcode = 'check_violation', table = 'fleets', constraint = violated;
end $check$`,
    `create or replace function "stormglass_check_fleet_statuses"("fleet_statuses" "fleet_statuses") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("fleet_statuses"."deleting" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_deleting_range'
    when not ("fleet_statuses"."error" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_error_range'
    when not ("fleet_statuses"."live" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_live_range'
    when not ("fleet_statuses"."observedGeneration" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_observedGeneration_range'
    when not ("fleet_statuses"."parked" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_parked_range'
    when not ("fleet_statuses"."readyChangedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleet_statuses_readyChangedAt_range'
    when not ("fleet_statuses"."ready" = any (array['True', 'False']::text[])) then 'fleet_statuses_ready_check'
    when not ("fleet_statuses"."running" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_running_range'
    when not ("fleet_statuses"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleet_statuses_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'fleet_statuses', violated
    using errcode = 'check_violation', table = 'fleet_statuses', constraint = violated;
end $check$`,
    `create or replace function "stormglass_check_instances"("instances" "instances") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ((("instances"."agent" is null and "instances"."agentIncarnation" is null) or (not ("instances"."agent" is null) and not ("instances"."agentIncarnation" is null)))) then 'instances_agentHasIncarnation'
    when not ("instances"."agentIncarnation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_agentIncarnation_range'
    when not ("instances"."attempt" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_attempt_range'
    when not ("instances"."bucketGroup" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_bucketGroup_range'
    when not ("instances"."bucket" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_bucket_range'
    when not ("instances"."createdAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_createdAt_range'
    when not (("instances"."state" <> 'DELETING' or not ("instances"."deletionRequestedAt" is null))) then 'instances_deletingWasAsked'
    when not ("instances"."deletionRequestedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_deletionRequestedAt_range'
    when not ("instances"."dueAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_dueAt_range'
    when not (("instances"."state" <> 'ERROR' or not ("instances"."reason" is null))) then 'instances_errorHasReason'
    when not ("instances"."failedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_failedAt_range'
    when not ("instances"."failures" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_failures_range'
    when not ((("instances"."fleet" is null and "instances"."ordinal" is null) or (not ("instances"."fleet" is null) and not ("instances"."ordinal" is null) and "instances"."ordinal" >= 0::bigint))) then 'instances_fleetHasOrdinals'
    when not (("instances"."bucket" >= ("instances"."bucketGroup" * 32::bigint) and "instances"."bucket" < (("instances"."bucketGroup" * 32::bigint) + 32::bigint))) then 'instances_isPlaced'
    when not ("instances"."lastHeartbeatAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_lastHeartbeatAt_range'
    when not (((not ("instances"."liveName" is null) and "instances"."deletionRequestedAt" is null) or ("instances"."liveName" is null and not ("instances"."deletionRequestedAt" is null)))) then 'instances_liveOrAskedToGo'
    when not ("instances"."ordinal" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_ordinal_range'
    when not ("instances"."parkedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_parkedAt_range'
    when not (("instances"."parkedAt" is null or not ("instances"."failure" is null))) then 'instances_parkedHasCause'
    when not ("instances"."readyChangedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_readyChangedAt_range'
    when not ("instances"."reason" = any (array['StartFailed', 'Vanished', 'HeartbeatStale']::text[])) then 'instances_reason_check'
    when not ("instances"."revision" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_revision_range'
    when not (("instances"."state" <> 'RUNNING' or not ("instances"."lastHeartbeatAt" is null))) then 'instances_runningHasHeartbeat'
    when not ("instances"."state" = any (array['PENDING', 'CREATING', 'RUNNING', 'MODIFYING', 'STOPPING', 'STOPPED', 'DELETING', 'DELETED', 'ERROR']::text[])) then 'instances_state_check'
    when not ("instances"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'instances', violated
    using errcode = 'check_violation', table = 'instances', constraint = violated;
end $check$`,
    `create index "fleets_idx_parkedAt" on "fleets" ("parkedAt")`,
    `create index "instances_idx_parkedAt" on "instances" ("parkedAt")`
  ]
}
