/**
 * Brings a database to this program's version, or says in one line why not; and refuses to run on one that is not there.
 *
 * Several nodes may begin at once: an advisory lock lets one after the other look, and the later ones find it done. All
 * that is due is one transaction: whatever fails, nothing was altered.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { afterRestore, type RevokedKeys } from "./afterRestore.ts"
import { codeOf, describe } from "./Errors.ts"
import {
  type Description,
  type Facts,
  type Problem,
  type Recorded,
  createMigrationsTable,
  factMark,
  migrationProblem,
  migrationsTable,
  oldestServer,
  schemaProblem,
  serverProblem
} from "./Migrations.ts"
import { migrations as allMigrations } from "./migrations/all.ts"
import type { Migration } from "./migrations/Migration.ts"
import { guardedTables } from "./migrations/events.ts"
import type { ConnectionSettings } from "./PostgresStorage.ts"
import { tenantPolicy, tenantPolicyTexts } from "./Schema.ts"
import { literal, name } from "./Sql.ts"

/** A database that cannot be used. One line: where, what, what to do. */
export class DatabaseRefused extends Schema.TaggedError<DatabaseRefused>()("DatabaseRefused", {
  database: Schema.String,
  reason: Schema.Literals([
    "unreachable",
    "credentials",
    "no-database",
    "too-old",
    "encoding",
    "read-only",
    "not-migrated",
    "older",
    "newer",
    "changed",
    "rights",
    "failed"
  ]),
  detail: Schema.String
}) {
  override get message() {
    return `database ${this.database}: ${this.detail}`
  }
}

export interface MigrateOptions {
  /** As the owner of the schema. */
  readonly connection: ConnectionSettings
  /** The role that programs run as: it gets the right to read and write rows, and no other. */
  readonly runtimeRole?: string
  /** The database was restored from a backup, and nobody has worked on it since (`afterRestore.ts`). Default false. */
  readonly isRestored?: boolean
  /** Of a database that was restored: the API keys that are not good in it any more. Default none. */
  readonly revokedKeys?: RevokedKeys
  readonly migrations?: ReadonlyArray<Migration>
  /** How long the server may take to let us in and to say what it is. Default 15 s. The driver may take 5 s more to give up. */
  readonly answerTimeoutMillis?: number
}

/** Between what versions the database went; equal when nothing was due. */
export interface Migrated {
  readonly from: number
  readonly to: number
}

export const migrate = (options: MigrateOptions): Effect.Effect<Migrated, DatabaseRefused> => {
  const {
    answerTimeoutMillis = hastyMillis,
    connection,
    isRestored = false,
    revokedKeys = [],
    migrations = allMigrations,
    runtimeRole
  } = options
  const known = migrations.length
  return Effect.gen(function* () {
    const first = Effect.gen(function* () {
      const ask = asking(yield* open(connection, {}), connection)
      return { ask, facts: yield* factsOf(ask) }
    })
    const { ask, facts: found } = yield* answered(connection, answerTimeoutMillis, first)
    yield* refuse(connection, serverProblem(found))
    yield* ask("begin")
    yield* ask(`set local lock_timeout = '${advisoryTimeout}'`)
    yield* ask(`select pg_advisory_xact_lock(${advisoryLock})`)
    yield* ask(`set local lock_timeout = '${lockTimeout}'`)
    const facts = yield* factsOf(ask)
    yield* refuse(connection, migrationProblem(facts, known))
    const from = facts.recorded?.version ?? 0
    const due = migrations.slice(from)
    if (due.length > 0) {
      yield* ask(createMigrationsTable)
      for (const migration of due) {
        for (const statement of migration.statements) yield* ask(statement)
        const tables = migrations.slice(0, migration.version).flatMap((earlier) => earlier.tables)
        const existing = yield* existingOf(ask, tables)
        yield* ask(recordOf(migration, facts.serverVersion, existing, yield* describeTables(ask, existing)))
      }
    }
    if (isRestored) for (const statement of afterRestore(revokedKeys)) yield* ask(statement)
    if (runtimeRole !== undefined) yield* grant(ask, runtimeRole)
    yield* ask("commit")
    return { from, to: Math.max(from, known) }
  }).pipe(Effect.scoped)
}

export type ReadyOptions = Omit<MigrateOptions, "runtimeRole" | "isRestored" | "revokedKeys">

/** Succeeds when this program may run on the database; alters nothing. */
export const requireReady = (options: ReadyOptions): Effect.Effect<void, DatabaseRefused> => {
  const { answerTimeoutMillis = hastyMillis, connection, migrations = allMigrations } = options
  const facts = Effect.gen(function* () {
    return yield* factsOf(asking(yield* open(connection, hasty), connection))
  }).pipe(Effect.scoped)
  return Effect.flatMap(answered(connection, answerTimeoutMillis, facts), (facts) =>
    refuse(connection, serverProblem(facts) ?? schemaProblem(facts, migrations.length))
  )
}

/**
 * Why the guard between projects (`Schema.ts`, D5) does not hold for the role that connects, or for another, in one line; undefined where it
 * does. Everything works all the same: what handlers ask for is the first wall.
 */
export const unguarded = ({
  answerTimeoutMillis = hastyMillis,
  connection,
  role
}: Pick<MigrateOptions, "connection" | "answerTimeoutMillis"> & { readonly role?: string | undefined }): Effect.Effect<
  string | undefined,
  DatabaseRefused
> => {
  const of = role === undefined ? "current_user" : literal("text", role)
  const asked = Effect.gen(function* () {
    const ask = asking(yield* open(connection, hasty), connection)
    return yield* ask(`select rolname::text as role, case when rolsuper then 'is a superuser' else 'has BYPASSRLS' end as why
      from pg_roles where rolname = ${of} and (rolsuper or rolbypassrls)`)
  }).pipe(Effect.scoped)
  return Effect.map(answered(connection, answerTimeoutMillis, asked), ([row]) =>
    row === undefined
      ? undefined
      : `the role ${String(row["role"])} ${String(row["why"])}, for whom row security does not hold: the database does not keep projects apart by itself; run as a role of \`migrate --runtime-role\``
  )
}

type Ask = (text: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, DatabaseRefused>

/** A number of our own among those that the applications of a server choose. */
const advisoryLock = 5_271_044_918
const advisoryTimeout = "60s"
/** A table in use is waited for so long; those who come after wait behind us. */
const lockTimeout = "5s"

/** Nothing that is asked by whoever only looks takes long. */
const hasty = { statement_timeout: "10s" }
const hastyMillis = 15_000

/** The limits above are kept by the server: one that has fallen silent keeps none. */
function answered<A, R>(
  connection: ConnectionSettings,
  millis: number,
  asked: Effect.Effect<A, DatabaseRefused, R>
): Effect.Effect<A, DatabaseRefused, R> {
  return Effect.timeoutOrElse(asked, {
    duration: millis,
    orElse: () =>
      Effect.fail(
        new DatabaseRefused({
          database: whereOf(connection),
          reason: "unreachable",
          detail: `no answer within ${millis} ms; check host and port, and that the server is well`
        })
      )
  })
}

function open(
  connection: ConnectionSettings,
  limits: Readonly<Record<string, string>>
): Effect.Effect<PgConnection.PgConnection, DatabaseRefused, Scope.Scope> {
  const settings = {
    applicationName: "stormglass migrate",
    ...connection,
    startupParameters: {
      timezone: "UTC",
      default_transaction_isolation: "read committed",
      lock_timeout: lockTimeout,
      ...limits
    }
  }
  return PgConnection.make(settings).pipe(Effect.mapError((error) => refusedBy(connection, error)))
}

function asking(session: PgConnection.PgConnection, connection: ConnectionSettings): Ask {
  return (text) =>
    session.query(text, [], false).pipe(
      Effect.map(({ rows }) => rows),
      Effect.mapError((error) => refusedBy(connection, error))
    )
}

function refuse(connection: ConnectionSettings, problem: Problem | undefined): Effect.Effect<void, DatabaseRefused> {
  return problem === undefined
    ? Effect.void
    : Effect.fail(new DatabaseRefused({ database: whereOf(connection), ...problem }))
}

function refusedBy(connection: ConnectionSettings, error: SqlError): DatabaseRefused {
  const refused = (reason: DatabaseRefused["reason"], detail: string) =>
    new DatabaseRefused({ database: whereOf(connection), reason, detail })
  const said = describe(error)
  const code = codeOf(error)
  switch (code) {
    case undefined:
      return error.reason._tag === "AuthenticationError"
        ? refused("credentials", `the server does not let us in: ${said}; check user and password`)
        : refused("unreachable", `no connection: ${said}; check host and port, and that the server runs`)
    case "28P01":
    case "28000":
      return refused("credentials", `the server does not let us in: ${said}; check user and password`)
    case "3D000":
      return refused("no-database", `there is no such database: ${said}; create it`)
    case "53300":
    case "57P03":
      return refused("unreachable", `the server takes no connection now: ${said}; try again later`)
    case "25006":
      return refused("read-only", `it cannot be written to: ${said}; connect to the primary`)
    case "42501":
      return refused(
        "rights",
        `the role may not do this: ${said}; connect as the owner of the schema, who gives rights by --runtime-role`
      )
    case "42P07":
      return refused("failed", `it holds tables that are not ours: ${said}; use an empty database or schema`)
    case "57014":
      return refused("failed", `an answer takes too long: ${said}; try again when the server is less busy`)
    case "55P03":
      return refused("failed", `somebody holds a lock for too long: ${said}; try again when the server is less busy`)
    default:
      return refused("failed", `${said}; nothing was altered`)
  }
}

/** Never with a password. */
function whereOf({ database, host, path, port, url, username }: ConnectionSettings): string {
  if (url !== undefined) {
    const { host, pathname, username } = new URL(Redacted.value(url) as string)
    return `${pathname.slice(1)} on ${host} as ${username}`
  }
  const server = path ?? `${host ?? "localhost"}:${port ?? 5432}`
  return `${database ?? username ?? "postgres"} on ${server} as ${username ?? "postgres"}`
}

/** Asks the catalog, not `to_regclass`: within a transaction that answers from a cache of what was not there before. */
const factsOf = (ask: Ask): Effect.Effect<Facts, DatabaseRefused> =>
  Effect.gen(function* () {
    // By itself, and without anything that an old server does not know.
    const [first] = yield* ask("select current_setting('server_version_num')::int as version")
    const serverVersion = first!["version"] as number
    if (serverVersion < oldestServer) {
      return {
        serverVersion,
        encoding: "",
        isInRecovery: false,
        isReadOnly: false,
        recorded: undefined,
        description: {},
        lacking: [],
        hidden: undefined
      }
    }
    const [server] = yield* ask(`select current_setting('server_encoding') as encoding, pg_is_in_recovery() as recovery,
      current_setting('transaction_read_only')::bool as readonly,
      exists (select from pg_class where relname = '${migrationsTable}'
        and relnamespace = current_schema()::regnamespace) as recorded`)
    const [latest] =
      server!["recorded"] === true
        ? yield* ask(`select version, oldest_program, server_major, tables::text, description::text
            from ${migrationsTable} order by version desc limit 1`)
        : []
    const recorded: Recorded | undefined =
      latest === undefined
        ? undefined
        : {
            version: latest["version"] as number,
            oldestProgram: latest["oldest_program"] as number,
            serverMajor: latest["server_major"] as number,
            description: JSON.parse(latest["description"] as string) as Description
          }
    const tables = latest === undefined ? [] : (JSON.parse(latest["tables"] as string) as ReadonlyArray<string>)
    return {
      serverVersion,
      encoding: server!["encoding"] as string,
      isInRecovery: server!["recovery"] as boolean,
      isReadOnly: server!["readonly"] as boolean,
      recorded,
      description: yield* describeTables(ask, tables),
      lacking: yield* lackingOn(ask, tables),
      hidden: recorded === undefined ? yield* hiddenFrom(ask) : undefined
    }
  })

/** Passed over, as if it were not there: the catalog can be read by everybody. */
const hiddenFrom = (ask: Ask): Effect.Effect<string | undefined, DatabaseRefused> =>
  Effect.map(
    ask(`select nspname::text as hidden from pg_namespace, unnest(string_to_array(replace(
        current_setting('search_path'), '$user', current_user), ',')) with ordinality p (entry, n)
      where nspname = trim(both '" ' from entry) and not has_schema_privilege(pg_namespace.oid, 'usage')
        and exists (select from pg_class where relname = '${migrationsTable}' and relnamespace = pg_namespace.oid)
      order by n limit 1`),
    ([row]) => row?.["hidden"] as string | undefined
  )

/** Those of these tables that there are: a later migration may have removed one. */
const existingOf = (ask: Ask, tables: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, DatabaseRefused> =>
  Effect.map(
    ask(
      `select t from unnest(${literal("text", tables, true)}) t where to_regclass(quote_ident(t)) is not null order by t`
    ),
    (rows) => rows.map(({ t }) => t as string)
  )

/** What may not be done with those of these tables that there are, each told with its table. */
const lackingOn = (ask: Ask, tables: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, DatabaseRefused> =>
  Effect.map(
    ask(`select concat(string_agg(privilege, ', ' order by n), ' on ', t) as lacking
      from unnest(${literal("text", tables, true)}) t,
        unnest(${literal("text", rowPrivileges, true)}) with ordinality p (privilege, n)
      where to_regclass(quote_ident(t)) is not null and not has_table_privilege(quote_ident(t), privilege)
      group by t order by t`),
    (rows) => rows.map(({ lacking }) => lacking as string)
  )

/**
 * Columns, constraints, indexes, triggers and our functions, each with what the server says of it; and as statements of fact
 * (`Migrations.ts`, M5) what a table or function is not as it is created: rows that are lost in a crash, hidden, sent elsewhere or
 * held elsewhere, a trigger that does not fire. That rows are guarded is such a fact, which a migration made; of the guard itself (`Schema.ts`,
 * D5) nothing is told but where it is another one.
 */
const describeTables = (ask: Ask, tables: ReadonlyArray<string>): Effect.Effect<Description, DatabaseRefused> =>
  Effect.map(
    ask(`with ours as (
      select c.oid, c.relname as t, relkind, relpersistence, relrowsecurity, relforcerowsecurity from pg_class c
      where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
        and c.relname::text = any(${literal("text", tables, true)})
    ), functions as (
      select * from pg_proc where pronamespace = current_schema()::regnamespace
        and proname like 'stormglass\\_%' and exists (select from ours)
    ), guarded as (
      select * from ours where (relrowsecurity or relforcerowsecurity) and t::text = any(${literal("text", guardedTables, true)})
    ), policies as (
      select polrelid as table_oid, polname, polname = '${tenantPolicy}' and polpermissive and polcmd = '*' and polroles = '{0}'
        and pg_get_expr(polqual, polrelid) = any(${literal("text", tenantPolicyTexts, true)})
        and pg_get_expr(polwithcheck, polrelid) = pg_get_expr(polqual, polrelid) as is_ours
      from pg_policy join ours on ours.oid = polrelid
    )
    select 'table ' || t as name, '' as definition from ours
    union all
    select 'column ' || t || '.' || attname,
      concat_ws(' ', format_type(atttypid, atttypmod), collname, case when attnotnull then 'not null' end, attidentity,
        attgenerated, pg_get_expr(adbin, adrelid))
    from ours join pg_attribute on attrelid = ours.oid and attnum > 0 and not attisdropped
      left join pg_collation on pg_collation.oid = attcollation
      left join pg_attrdef on adrelid = ours.oid and adnum = attnum
    union all
    select 'constraint ' || t || '.' || conname, pg_get_constraintdef(pg_constraint.oid)
      || case when convalidated then '' else ' not valid' end
    from ours join pg_constraint on conrelid = ours.oid where contype <> 'n'
    union all
    select case when indisunique then 'unique index ' else 'index ' end || i.relname, pg_get_indexdef(indexrelid)
      || case when indisvalid then '' else ' invalid' end
    from ours join pg_index on indrelid = ours.oid join pg_class i on i.oid = indexrelid
    where not exists (select from pg_constraint where conindid = indexrelid)
    union all
    select 'trigger ' || t || '.' || tgname, pg_get_triggerdef(pg_trigger.oid) || ' ' || tgenabled::text
    from ours join pg_trigger on tgrelid = ours.oid where not tgisinternal
    union all
    select 'function ' || oid::regprocedure, md5(prosrc) || ' ' || prosecdef from functions
    union all
    select ${literal("text", factMark)} || fact, '' from (
      select 'table ' || t || ' is unlogged' as fact from ours where relpersistence <> 'p'
      union all
      select 'table ' || t || ' is partitioned' from ours where relkind = 'p'
      union all
      select 'table ' || t || ' has row security' from ours where relrowsecurity or relforcerowsecurity
      union all
      select 'table ' || t || ' does not enable its row security' from guarded where not relrowsecurity
      union all
      select 'table ' || t || ' does not force its row security' from guarded where not relforcerowsecurity
      union all
      select 'table ' || t || ' lacks the policy ${tenantPolicy}' from guarded
      where not exists (select from policies where table_oid = guarded.oid and is_ours)
      union all
      select 'table ' || t || ' has the policy ' || polname from ours join policies on table_oid = ours.oid where not is_ours
      union all
      select 'table ' || t || ' has the rule ' || rulename from ours join pg_rewrite on ev_class = ours.oid
      union all
      select 'table ' || t || ' has the child ' || inhrelid::regclass from ours join pg_inherits on inhparent = ours.oid
      union all
      select 'table ' || t || ' is a child of ' || inhparent::regclass from ours join pg_inherits on inhrelid = ours.oid
      union all
      select 'sequence ' || seqrelid::regclass || ' does not count by ones' from ours
        join pg_depend on refclassid = 'pg_class'::regclass and refobjid = ours.oid and classid = 'pg_class'::regclass
        join pg_sequence on seqrelid = objid
      where seqincrement <> 1 or seqcache <> 1 or seqcycle
      union all
      select 'trigger ' || t || '.' || tgname || ' does not fire for everybody' from ours
        join pg_trigger on tgrelid = ours.oid
      where not tgisinternal and tgenabled in ('D', 'R')
      union all
      select 'function ' || oid::regprocedure || ' sets ' || setting from functions, unnest(proconfig) setting
      union all
      select 'function ' || oid::regprocedure || ' is ' || word from functions, lateral (values
        ('strict', proisstrict), ('not volatile', provolatile <> 'v')) facts (word, holds)
      where holds
    ) facts`),
    (rows) => Object.fromEntries(rows.map(({ definition, name }) => [name as string, definition as string]))
  )

function recordOf(
  { name, oldestProgram, version }: Migration,
  serverVersion: number,
  tables: ReadonlyArray<string>,
  description: Description
): string {
  const values = [
    String(version),
    literal("text", name),
    String(oldestProgram),
    String(Math.floor(serverVersion / 10_000)),
    literal("json", tables),
    literal("json", description)
  ]
  return `insert into ${migrationsTable} (version, name, oldest_program, server_major, tables, description)
    values (${values.join(", ")})`
}

const rowPrivileges = ["select", "insert", "update", "delete"]

/** Rows, not tables: no right to create, alter, truncate or drop anything. */
const grant = (ask: Ask, role: string): Effect.Effect<void, DatabaseRefused> =>
  Effect.gen(function* () {
    const [latest] = yield* ask(`select tables::text, current_schema()::text as schema from ${migrationsTable}
      order by version desc limit 1`)
    const tables = JSON.parse(latest!["tables"] as string) as ReadonlyArray<string>
    const schema = name(latest!["schema"] as string)
    yield* ask(`grant usage on schema ${schema} to ${name(role)}`)
    yield* ask(`grant ${rowPrivileges.join(", ")} on ${tables.map(name).join(", ")} to ${name(role)}`)
    yield* ask(`grant select on ${migrationsTable} to ${name(role)}`)
  })
