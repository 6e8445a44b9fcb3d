/**
 * Version 3: all checks of a table are one constraint, which calls one function of the row. The rules and the names that violations
 * tell are what they were.
 */
import type { Migration } from "./Migration.ts"

export const rowChecks: Migration = {
  version: 3,
  name: "row-checks",
  oldestProgram: 1,
  tables: [],
  statements: [
    `create or replace function "stormglass_check_leases"("leases" "leases") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("leases"."acquiredAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'leases_acquiredAt_range'
    when not ("leases"."epoch" between -9007199254740991::bigint and 9007199254740991::bigint) then 'leases_epoch_range'
    when not ("leases"."expiresAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'leases_expiresAt_range'
    when not ("leases"."releasedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'leases_releasedAt_range'
    when not ("leases"."renewedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'leases_renewedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'leases', violated
    using errcode = 'check_violation', table = 'leases', constraint = violated;
end $check$`,
    `alter table "leases"
  drop constraint "leases_epoch_range", drop constraint "leases_acquiredAt_range", drop constraint "leases_renewedAt_range", drop constraint "leases_expiresAt_range", drop constraint "leases_releasedAt_range",
  add constraint stormglass_check check ("stormglass_check_leases"("leases".*))`,
    `create or replace function "stormglass_check_members"("members" "members") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("members"."incarnation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'members_incarnation_range'
    when not ("members"."joinedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'members_joinedAt_range'
    when not ("members"."leavingAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'members_leavingAt_range'
    when not ("members"."seenAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'members_seenAt_range'
    when not ("members"."weight" > 0::bigint) then 'members_weightIsPositive'
    when not ("members"."weight" between -9007199254740991::bigint and 9007199254740991::bigint) then 'members_weight_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'members', violated
    using errcode = 'check_violation', table = 'members', constraint = violated;
end $check$`,
    `alter table "members"
  drop constraint "members_incarnation_range", drop constraint "members_weight_range", drop constraint "members_joinedAt_range", drop constraint "members_seenAt_range", drop constraint "members_leavingAt_range", drop constraint "members_weightIsPositive",
  add constraint stormglass_check check ("stormglass_check_members"("members".*))`,
    `create or replace function "stormglass_check_agents"("agents" "agents") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("agents"."heardAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'agents_heardAt_range'
    when not ("agents"."incarnation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'agents_incarnation_range'
    when not ("agents"."registeredAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'agents_registeredAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'agents', violated
    using errcode = 'check_violation', table = 'agents', constraint = violated;
end $check$`,
    `alter table "agents"
  drop constraint "agents_incarnation_range", drop constraint "agents_registeredAt_range", drop constraint "agents_heardAt_range",
  add constraint stormglass_check check ("stormglass_check_agents"("agents".*))`,
    `create or replace function "stormglass_check_fleets"("fleets" "fleets") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("fleets"."bucketGroup" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_bucketGroup_range'
    when not ("fleets"."bucket" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_bucket_range'
    when not ("fleets"."createdAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_createdAt_range'
    when not (("fleets"."desired" >= 0::bigint and "fleets"."desired" <= 1000::bigint)) then 'fleets_desiredIsBounded'
    when not ("fleets"."desired" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_desired_range'
    when not ("fleets"."dueAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_dueAt_range'
    when not ("fleets"."generation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_generation_range'
    when not (("fleets"."bucket" >= ("fleets"."bucketGroup" * 32::bigint) and "fleets"."bucket" < (("fleets"."bucketGroup" * 32::bigint) + 32::bigint))) then 'fleets_isPlaced'
    when not ("fleets"."scaledGeneration" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleets_scaledGeneration_range'
    when not ("fleets"."scaledGeneration" <= "fleets"."generation") then 'fleets_scaledIsPast'
    when not ("fleets"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleets_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'fleets', violated
    using errcode = 'check_violation', table = 'fleets', constraint = violated;
end $check$`,
    `alter table "fleets"
  drop constraint "fleets_bucket_range", drop constraint "fleets_bucketGroup_range", drop constraint "fleets_desired_range", drop constraint "fleets_generation_range", drop constraint "fleets_scaledGeneration_range", drop constraint "fleets_createdAt_range", drop constraint "fleets_updatedAt_range", drop constraint "fleets_dueAt_range", drop constraint "fleets_isPlaced", drop constraint "fleets_desiredIsBounded", drop constraint "fleets_scaledIsPast",
  add constraint stormglass_check check ("stormglass_check_fleets"("fleets".*))`,
    `create or replace function "stormglass_check_fleet_statuses"("fleet_statuses" "fleet_statuses") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("fleet_statuses"."deleting" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_deleting_range'
    when not ("fleet_statuses"."error" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_error_range'
    when not ("fleet_statuses"."live" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_live_range'
    when not ("fleet_statuses"."observedGeneration" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_observedGeneration_range'
    when not ("fleet_statuses"."running" between -9007199254740991::bigint and 9007199254740991::bigint) then 'fleet_statuses_running_range'
    when not ("fleet_statuses"."updatedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'fleet_statuses_updatedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'fleet_statuses', violated
    using errcode = 'check_violation', table = 'fleet_statuses', constraint = violated;
end $check$`,
    `alter table "fleet_statuses"
  drop constraint "fleet_statuses_observedGeneration_range", drop constraint "fleet_statuses_live_range", drop constraint "fleet_statuses_running_range", drop constraint "fleet_statuses_error_range", drop constraint "fleet_statuses_deleting_range", drop constraint "fleet_statuses_updatedAt_range",
  add constraint stormglass_check check ("stormglass_check_fleet_statuses"("fleet_statuses".*))`,
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
    when not ((("instances"."fleet" is null and "instances"."ordinal" is null) or (not ("instances"."fleet" is null) and not ("instances"."ordinal" is null) and "instances"."ordinal" >= 0::bigint))) then 'instances_fleetHasOrdinals'
    when not (("instances"."bucket" >= ("instances"."bucketGroup" * 32::bigint) and "instances"."bucket" < (("instances"."bucketGroup" * 32::bigint) + 32::bigint))) then 'instances_isPlaced'
    when not ("instances"."lastHeartbeatAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'instances_lastHeartbeatAt_range'
    when not (((not ("instances"."liveName" is null) and "instances"."deletionRequestedAt" is null) or ("instances"."liveName" is null and not ("instances"."deletionRequestedAt" is null)))) then 'instances_liveOrAskedToGo'
    when not ("instances"."ordinal" between -9007199254740991::bigint and 9007199254740991::bigint) then 'instances_ordinal_range'
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
    `alter table "instances"
  drop constraint "instances_ordinal_range", drop constraint "instances_bucket_range", drop constraint "instances_bucketGroup_range", drop constraint "instances_state_check", drop constraint "instances_reason_check", drop constraint "instances_revision_range", drop constraint "instances_attempt_range", drop constraint "instances_agentIncarnation_range", drop constraint "instances_lastHeartbeatAt_range", drop constraint "instances_deletionRequestedAt_range", drop constraint "instances_createdAt_range", drop constraint "instances_updatedAt_range", drop constraint "instances_dueAt_range", drop constraint "instances_isPlaced", drop constraint "instances_liveOrAskedToGo", drop constraint "instances_deletingWasAsked", drop constraint "instances_errorHasReason", drop constraint "instances_agentHasIncarnation", drop constraint "instances_runningHasHeartbeat", drop constraint "instances_fleetHasOrdinals",
  add constraint stormglass_check check ("stormglass_check_instances"("instances".*))`,
    `create or replace function "stormglass_check_placements"("placements" "placements") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("placements"."attempt" >= 1::bigint) then 'placements_attemptIsCounted'
    when not ("placements"."attempt" between -9007199254740991::bigint and 9007199254740991::bigint) then 'placements_attempt_range'
    when not ("placements"."observedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'placements_observedAt_range'
    when not ((("placements"."observed" is null and "placements"."observedAt" is null) or (not ("placements"."observed" is null) and not ("placements"."observedAt" is null)))) then 'placements_observedWithTime'
    when not ("placements"."observed" = any (array['Absent', 'Starting', 'Running', 'Stopping', 'Failed']::text[])) then 'placements_observed_check'
    when not ("placements"."placedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'placements_placedAt_range'
    when not ("placements"."wanted" = any (array['run', 'stop']::text[])) then 'placements_wanted_check'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'placements', violated
    using errcode = 'check_violation', table = 'placements', constraint = violated;
end $check$`,
    `alter table "placements"
  drop constraint "placements_attempt_range", drop constraint "placements_wanted_check", drop constraint "placements_observed_check", drop constraint "placements_observedAt_range", drop constraint "placements_placedAt_range", drop constraint "placements_observedWithTime", drop constraint "placements_attemptIsCounted",
  add constraint stormglass_check check ("stormglass_check_placements"("placements".*))`,
    `create or replace function "stormglass_check_idempotency_keys"("idempotency_keys" "idempotency_keys") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("idempotency_keys"."claimExpiresAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'idempotency_keys_claimExpiresAt_range'
    when not ("idempotency_keys"."claimedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'idempotency_keys_claimedAt_range'
    when not ("idempotency_keys"."createdAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'idempotency_keys_createdAt_range'
    when not ("idempotency_keys"."epoch" between -9007199254740991::bigint and 9007199254740991::bigint) then 'idempotency_keys_epoch_range'
    when not ("idempotency_keys"."expiresAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'idempotency_keys_expiresAt_range'
    when not ((("idempotency_keys"."state" = 'executing' and "idempotency_keys"."status" is null and "idempotency_keys"."body" is null) or ("idempotency_keys"."state" = 'finished' and not ("idempotency_keys"."status" is null) and not ("idempotency_keys"."body" is null)))) then 'idempotency_keys_finishedHasAnswer'
    when not ("idempotency_keys"."state" = any (array['executing', 'finished']::text[])) then 'idempotency_keys_state_check'
    when not ("idempotency_keys"."status" between -9007199254740991::bigint and 9007199254740991::bigint) then 'idempotency_keys_status_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'idempotency_keys', violated
    using errcode = 'check_violation', table = 'idempotency_keys', constraint = violated;
end $check$`,
    `alter table "idempotency_keys"
  drop constraint "idempotency_keys_state_check", drop constraint "idempotency_keys_epoch_range", drop constraint "idempotency_keys_claimedAt_range", drop constraint "idempotency_keys_claimExpiresAt_range", drop constraint "idempotency_keys_status_range", drop constraint "idempotency_keys_createdAt_range", drop constraint "idempotency_keys_expiresAt_range", drop constraint "idempotency_keys_finishedHasAnswer",
  add constraint stormglass_check check ("stormglass_check_idempotency_keys"("idempotency_keys".*))`
  ]
}
