/** Version 12: a member may have no share of the buckets: it serves the API alone. */
import type { Migration } from "./Migration.ts"

export const roles: Migration = {
  version: 12,
  name: "roles",
  oldestProgram: 1,
  tables: [],
  statements: [
    `create or replace function "stormglass_check_members"("members" "members") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("members"."incarnation" between -9007199254740991::bigint and 9007199254740991::bigint) then 'members_incarnation_range'
    when not ("members"."joinedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'members_joinedAt_range'
    when not ("members"."leavingAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'members_leavingAt_range'
    when not ("members"."seenAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'members_seenAt_range'
    when not ("members"."weight" >= 0::bigint) then 'members_weightIsNotNegative'
    when not ("members"."weight" between -9007199254740991::bigint and 9007199254740991::bigint) then 'members_weight_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'members', violated
    using errcode = 'check_violation', table = 'members', constraint = violated;
end $check$`
  ]
}
