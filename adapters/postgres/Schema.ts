/**
 * Tables as the SQL that creates them. Pure; the names of constraints and indexes are those that the port reports, which
 * the simulated database reports too.
 *
 * - D1 `text` is ordered by code point (`collate "C"`), whatever the database's own collation.
 * - D2 Integers and times are within ±(2^53 - 1), so that every value is exact at the port: `<table>_<column>_range`.
 * - D3 A word list is a check, `<table>_<column>_check`; not-null violations carry no name of their own in Postgres and are
 *   reported as `<table>_<column>_not_null`.
 * - D4 All checks of a table are one constraint that calls one function of the row, which names the first that fails, in the order
 *   of their names as Postgres would. A session compiles a function once, and reads the text of a constraint again for each statement: ten
 *   to twenty of them were two fifths of the server's work for an idempotent request.
 * - D5 A table of tenants has one policy, which holds for its owner too: while the session says for which project it works (`Sql.ts`, Q8), rows
 *   of others are not there and cannot be made. It is a range of the column, from the project to the project, or from the first text to the last
 *   where none is said: the planner reads the setting when it guesses how many rows there are, so that its plans are those of a
 *   table without the policy, and an index on the column can be searched by it. (`project = setting or setting is null` would be neither.)
 */
import type { Column, Table, Tenant } from "../../core/ports/Table.ts"
import { StatementDefect } from "../../core/storage/StatementDefect.ts"
import { fencedFunction, literal, name, projectSetting, sqlTypes, toCheck } from "./Sql.ts"

/** Postgres cuts longer identifiers off, in silence. */
const identifierBytesMax = 63

/** Everything that the adapter needs in an empty database, in order. */
export const createSchema = (tables: ReadonlyArray<Table<unknown>>): ReadonlyArray<string> => [
  fencedFunction,
  ...guardFunctions,
  ...tables.flatMap(createTable)
]

/** The statements that create a table and its indexes, in order. Throws `StatementDefect` for what Postgres would not keep. */
export const createTable = (table: Table<unknown>): ReadonlyArray<string> => {
  const columns = Object.entries(table.columns as Readonly<Record<string, Column<unknown>>>)
  for (const key of table.primaryKey) {
    if (columns.find(([column]) => column === key)?.[1].nullable !== false) {
      throw new StatementDefect(`${table.name}: ${key} is of the primary key, so never null`)
    }
  }
  const parts = [
    ...columns.map(([column, { kind, nullable }]) =>
      [
        name(column),
        sqlTypes[kind],
        ...(kind === "text" ? ['collate "C"'] : []),
        ...(nullable ? [] : ["not null"])
      ].join(" ")
    ),
    constraint(`${table.name}_pkey`, `primary key (${names(table.primaryKey)})`),
    ...table.unique.map((unique) => constraint(unique.name, `unique (${names(unique.columns)})`))
  ]
  return [
    `create table ${name(limited(table.name))} (\n  ${parts.join(",\n  ")}\n)`,
    ...createChecks(table),
    ...table.indexes.map(
      (index) => `create index ${name(limited(index.name))} on ${name(table.name)} (${names(index.columns)})`
    ),
    ...(table.isAppendOnly
      ? [
          appendOnlyFunction,
          `create trigger ${appendOnly} before update or delete or truncate on ${name(table.name)}
   for each statement execute function ${appendOnly}()`
        ]
      : []),
    ...(table.tenant === undefined ? [] : createGuard(table.name, table.tenant))
  ]
}

/** What checks the rows of a table (D4); nothing where there is nothing to check. */
function createChecks(table: Table<unknown>): ReadonlyArray<string> {
  const checks = checksOf(table).toSorted((left, right) => (left.name < right.name ? -1 : 1))
  if (checks.length === 0) return []
  const target = name(table.name)
  const checking = name(limited(`stormglass_check_${table.name}`))
  return [
    `create or replace function ${checking}(${target} ${target}) returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
${checks.map((check) => `    when not (${check.sql}) then ${literal("text", limited(check.name))}`).join("\n")}
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', ${literal("text", table.name)}, violated
    using errcode = 'check_violation', table = ${literal("text", table.name)}, constraint = violated;
end $check$`,
    `alter table ${target} add constraint stormglass_check check (${checking}(${target}.*))`
  ]
}

/** A check holds unless it is false. The function's argument has the name of the table. */
function checksOf(table: Table<unknown>): ReadonlyArray<{ readonly name: string; readonly sql: string }> {
  const columns = Object.entries(table.columns as Readonly<Record<string, Column<unknown>>>)
  return [
    ...columns.flatMap(([column, { kind, literals }]) => {
      const of = `${name(table.name)}.${name(column)}`
      return [
        ...(literals === undefined
          ? []
          : [{ name: `${table.name}_${column}_check`, sql: `${of} = any (${literal("text", literals, true)})` }]),
        ...(kind === "integer" || kind === "timestamp"
          ? [
              {
                name: `${table.name}_${column}_range`,
                sql: `${of} between ${literal(kind, -Number.MAX_SAFE_INTEGER)} and ${literal(kind, Number.MAX_SAFE_INTEGER)}`
              }
            ]
          : [])
      ]
    }),
    ...table.checks.map(({ condition, name }) => ({ name, sql: toCheck(condition, table) }))
  ]
}

/** The trigger that refuses to change or remove a row of an append-only table. */
export const appendOnly = "stormglass_append_only"

const appendOnlyFunction = `create or replace function ${appendOnly}() returns trigger language plpgsql as $$ begin
  raise exception 'table % is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$`

/** The policy of a table of tenants. */
export const tenantPolicy = "stormglass_tenant"

/** What it asks, as the server words it. */
export const tenantPolicyTexts = ["stormglass_sees(project)", "stormglass_sees_below(id)"]

const said = `nullif(current_setting('${projectSetting}', true), '')`

/** Of one expression each and without settings, so that the planner sees what is in them. No text of ours begins with the last code point. */
const guardFunctions = [
  `create or replace function stormglass_sees(project text) returns boolean stable language sql as $$
  select project >= coalesce(${said}, '') and project <= coalesce(${said}, chr(1114111)) $$`,
  `create or replace function stormglass_sees_below(path text) returns boolean stable language sql as $$
  select path >= coalesce(${said} || '/', '') and path < coalesce(${said} || '0', chr(1114111)) $$`
]

function createGuard(table: string, { column, isPrefix }: Tenant): ReadonlyArray<string> {
  const sees = `${isPrefix ? "stormglass_sees_below" : "stormglass_sees"}(${name(column)})`
  return [
    `alter table ${name(table)} enable row level security`,
    `alter table ${name(table)} force row level security`,
    `create policy ${tenantPolicy} on ${name(table)} using (${sees}) with check (${sees})`
  ]
}

function constraint(identifier: string, definition: string): string {
  return `constraint ${name(limited(identifier))} ${definition}`
}

function names(columns: ReadonlyArray<string>): string {
  return columns.map(name).join(", ")
}

function limited(identifier: string): string {
  if (new TextEncoder().encode(identifier).length > identifierBytesMax) {
    throw new StatementDefect(
      `${identifier}: longer than the ${identifierBytesMax} bytes that Postgres keeps of a name`
    )
  }
  return identifier
}
