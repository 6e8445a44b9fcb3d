/**
 * What the change feed keeps in the database, as SQL: a table of changes, a trigger that fills it on every table that somebody
 * follows, and the floor below which changes were forgotten. Pure; every statement may be run again.
 *
 * - T1 A change is written by the transaction that makes it, in a trigger after each row: while its lock is held, so that
 *   positions of one row rise in the order of commits.
 * - T2 The trigger runs with the rights of its owner: who writes a table needs none on `changes`.
 * - T3 `truncate` is told as the deletion of every row.
 * - T4 A change is labelled as the statement that made it is, by the comment in front of it (`/* lease/renew *\/ update …`),
 *   and fenced by what was told to the session (`Sql.ts`, Q6): a writer pays no round trip for either.
 *
 * Absent on purpose: a notification in the trigger. Postgres commits transactions that notify one at a time, the wait for
 * the disk included: sixteen writers who committed 3,600 updates a second committed 500. See `FeedHints.ts`.
 */
import type { Table } from "../../core/ports/Table.ts"
import { fencesSetting, name } from "./Sql.ts"

export const changesTable = "stormglass_changes"
export const floorTable = "stormglass_changes_floor"
const record = "stormglass_record_change"

/** Of a statement so much is looked at for its label: one that inserts many rows is long, and this is done for each of them. */
const labelledMax = 256

/** Nothing was forgotten: below every transaction. */
export const firstFloor = `insert into ${floorTable} (xid) values ('2') on conflict do nothing`

/** Names what the database was restored as, the last time; null where it never was. A part of the history that cursors are of. */
export const addRestored = `alter table ${floorTable} add column if not exists restored text`

/** The table, the floor and the function, as migrations began. */
export const beginFeed: ReadonlyArray<string> = [
  `create table if not exists ${changesTable} (
  position bigint generated always as identity primary key,
  xid xid8 not null,
  at timestamptz not null,
  "table" text collate "C" not null,
  before json,
  after json,
  label text,
  fences text
)`,
  `create index if not exists ${changesTable}_idx_xid on ${changesTable} (xid)`,
  `create table if not exists ${floorTable} (one boolean primary key default true check (one), xid xid8 not null)`,
  firstFloor,
  // Schema-qualified by hand: a function with a search path of its own sets and resets it for every row.
  `do $do$
begin
  execute format($format$
    create or replace function %1$I.${record}() returns trigger language plpgsql security definer as $body$
    declare
      of_label constant text := pg_catalog.substring(
        pg_catalog.left(pg_catalog.current_query(), ${labelledMax}), '^/\\* ([^*]+) \\*/ ');
      of_fences constant text := nullif(pg_catalog.current_setting('${fencesSetting}', true), '');
    begin
      if tg_op operator(pg_catalog.=) 'TRUNCATE' then
        execute pg_catalog.format(
          'insert into %1$I.${changesTable} (xid, at, "table", before, label, fences)
           select pg_catalog.pg_current_xact_id(), pg_catalog.clock_timestamp(), $1, pg_catalog.row_to_json(t), $2, $3
           from %%I.%%I t', tg_table_schema, tg_table_name) using tg_table_name, of_label, of_fences;
        return null;
      end if;
      insert into %1$I.${changesTable} (xid, at, "table", before, after, label, fences) values (
        pg_catalog.pg_current_xact_id(), pg_catalog.clock_timestamp(), tg_table_name,
        pg_catalog.row_to_json(old), pg_catalog.row_to_json(new), of_label, of_fences);
      return null;
    end $body$
  $format$, current_schema());
end $do$`
]

/** The table, the floor and the function; owned by who owns the tables. */
export const createFeed: ReadonlyArray<string> = [...beginFeed, addRestored]

/** The triggers of one table. */
export const recordChangesOf = (table: Pick<Table<unknown>, "name">): ReadonlyArray<string> => [
  `create or replace trigger ${record} after insert or update or delete on ${name(table.name)}
   for each row execute function ${record}()`,
  `create or replace trigger ${record}_truncate before truncate on ${name(table.name)}
   for each statement execute function ${record}()`
]

/** The same triggers gone: of what nobody follows. */
export const forgetChangesOf = (table: Pick<Table<unknown>, "name">): ReadonlyArray<string> => [
  `drop trigger if exists ${record} on ${name(table.name)}`,
  `drop trigger if exists ${record}_truncate on ${name(table.name)}`
]
