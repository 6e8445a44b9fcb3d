/**
 * Version 5: who may come, how often, and what he did. The change feed tells of none of it. Of the audit log nothing is ever changed or removed,
 * also by whoever may: a program that is broken into can add to it, and its hashes tell what a superuser does to it.
 */
import type { Migration } from "./Migration.ts"

export const identity: Migration = {
  version: 5,
  name: "identity",
  oldestProgram: 1,
  tables: ["api_keys", "rate_limits", "audit_pending", "audit_log"],
  statements: [
    `create table "api_keys" (
  "id" text collate "C" not null,
  "principal" text collate "C" not null,
  "verbs" jsonb not null,
  "projects" jsonb not null,
  "hash" text collate "C" not null,
  "createdAt" timestamptz not null,
  "expiresAt" timestamptz,
  "revokedAt" timestamptz,
  constraint "api_keys_pkey" primary key ("id")
)`,
    `create or replace function "stormglass_check_api_keys"("api_keys" "api_keys") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("api_keys"."createdAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'api_keys_createdAt_range'
    when not ("api_keys"."expiresAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'api_keys_expiresAt_range'
    when not ("api_keys"."revokedAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'api_keys_revokedAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'api_keys', violated
    using errcode = 'check_violation', table = 'api_keys', constraint = violated;
end $check$`,
    `alter table "api_keys" add constraint stormglass_check check ("stormglass_check_api_keys"("api_keys".*))`,
    `create table "rate_limits" (
  "scope" text collate "C" not null,
  "fullAt" timestamptz not null,
  constraint "rate_limits_pkey" primary key ("scope")
)`,
    `create or replace function "stormglass_check_rate_limits"("rate_limits" "rate_limits") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("rate_limits"."fullAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'rate_limits_fullAt_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'rate_limits', violated
    using errcode = 'check_violation', table = 'rate_limits', constraint = violated;
end $check$`,
    `alter table "rate_limits" add constraint stormglass_check check ("stormglass_check_rate_limits"("rate_limits".*))`,
    `create index "rate_limits_idx_fullAt" on "rate_limits" ("fullAt")`,
    `create table "audit_pending" (
  "id" text collate "C" not null,
  "at" timestamptz not null,
  "principal" text collate "C" not null,
  "keyId" text collate "C",
  "action" text collate "C" not null,
  "project" text collate "C" not null,
  "path" text collate "C" not null,
  "requestId" text collate "C" not null,
  "status" bigint not null,
  "revision" bigint,
  constraint "audit_pending_pkey" primary key ("id")
)`,
    `create or replace function "stormglass_check_audit_pending"("audit_pending" "audit_pending") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("audit_pending"."at" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'audit_pending_at_range'
    when not ("audit_pending"."revision" between -9007199254740991::bigint and 9007199254740991::bigint) then 'audit_pending_revision_range'
    when not ("audit_pending"."status" between -9007199254740991::bigint and 9007199254740991::bigint) then 'audit_pending_status_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'audit_pending', violated
    using errcode = 'check_violation', table = 'audit_pending', constraint = violated;
end $check$`,
    `alter table "audit_pending" add constraint stormglass_check check ("stormglass_check_audit_pending"("audit_pending".*))`,
    `create index "audit_pending_idx_at_id" on "audit_pending" ("at", "id")`,
    `create table "audit_log" (
  "seq" bigint not null,
  "id" text collate "C" not null,
  "at" timestamptz not null,
  "principal" text collate "C" not null,
  "keyId" text collate "C",
  "action" text collate "C" not null,
  "project" text collate "C" not null,
  "path" text collate "C" not null,
  "requestId" text collate "C" not null,
  "status" bigint not null,
  "revision" bigint,
  "previousHash" text collate "C" not null,
  "hash" text collate "C" not null,
  constraint "audit_log_pkey" primary key ("seq"),
  constraint "audit_log_key_id" unique ("id")
)`,
    `create or replace function "stormglass_check_audit_log"("audit_log" "audit_log") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("audit_log"."at" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'audit_log_at_range'
    when not ("audit_log"."revision" between -9007199254740991::bigint and 9007199254740991::bigint) then 'audit_log_revision_range'
    when not ("audit_log"."seq" between -9007199254740991::bigint and 9007199254740991::bigint) then 'audit_log_seq_range'
    when not ("audit_log"."status" between -9007199254740991::bigint and 9007199254740991::bigint) then 'audit_log_status_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'audit_log', violated
    using errcode = 'check_violation', table = 'audit_log', constraint = violated;
end $check$`,
    `alter table "audit_log" add constraint stormglass_check check ("stormglass_check_audit_log"("audit_log".*))`,
    `create or replace function stormglass_append_only() returns trigger language plpgsql as $$ begin
  raise exception 'table % is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$`,
    `create trigger stormglass_append_only before update or delete or truncate on "audit_log"
   for each statement execute function stormglass_append_only()`
  ]
}
