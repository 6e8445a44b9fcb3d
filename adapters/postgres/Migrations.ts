/**
 * The versions of the schema, and what may run on which. Pure: decisions over what was read from a database.
 *
 * - M1 Forward only. A migration that has run somewhere never changes; each runs once, in order, in one transaction with
 *   the record of itself.
 * - M2 Expand, then contract. A migration states the oldest program that can run on its result: as long as it only adds what an
 *   older program need not know, programs N and N - 1 run side by side. What removes something comes a version later,
 *   when no program needs it, and states a newer one.
 * - M3 A program runs on its own version or on a newer one that admits it. It never migrates on its way: that is the
 *   owner's command, the program's role has no right to.
 * - M4 What the schema looked like after the last migration is recorded in the words of the database. What looks different
 *   later was changed by hand. Further indexes that are not unique are the operator's own business.
 * - M5 Of what a table or function is as it is created, nothing is recorded, only what it is otherwise (`! table leases is
 *   unlogged`): so what programs learn to look at later is no change in databases that were migrated before.
 */
export const migrationsTable = "stormglass_migrations"

export const createMigrationsTable = `create table if not exists ${migrationsTable} (
  version integer primary key,
  name text not null,
  oldest_program integer not null,
  applied_at timestamptz not null default clock_timestamp(),
  server_major integer not null,
  tables jsonb not null,
  description jsonb not null
)`

/** Each object of the schema by its name, with its definition as the server words it; and facts (M5), without any. */
export type Description = Readonly<Record<string, string>>

/** What the name of a fact begins with. */
export const factMark = "! "

/** The latest record of a migration in a database. */
export interface Recorded {
  readonly version: number
  readonly oldestProgram: number
  /** Another major version may word the same definition in another way. */
  readonly serverMajor: number
  readonly description: Description
}

/** What is known of a server before anything is done with it. */
export interface Facts {
  readonly serverVersion: number
  readonly encoding: string
  readonly isInRecovery: boolean
  readonly isReadOnly: boolean
  readonly recorded: Recorded | undefined
  /** Of the tables that were recorded, as they are now. */
  readonly description: Description
  /** What the role that asked may not do with them, of what a program does: "insert, delete on leases". */
  readonly lacking: ReadonlyArray<string>
  /** A schema that was migrated, on the path of the role that asked, which may not look into it; undefined when it finds one. */
  readonly hidden: string | undefined
}

/** Why a database is refused, and what to do about it; undefined when it is not. */
export interface Problem {
  readonly reason: "too-old" | "encoding" | "read-only" | "not-migrated" | "older" | "newer" | "changed" | "rights"
  readonly detail: string
}

export const oldestServer = 140_000

/** What keeps anybody from working with this server. */
export const serverProblem = ({ encoding, isInRecovery, isReadOnly, serverVersion }: Facts): Problem | undefined => {
  if (serverVersion < oldestServer) {
    const major = Math.floor(serverVersion / 10_000)
    return { reason: "too-old", detail: `it is Postgres ${major}; version 14 or newer is needed` }
  }
  if (encoding !== "UTF8") {
    return { reason: "encoding", detail: `its encoding is ${encoding}; create the database with encoding 'UTF8'` }
  }
  if (isInRecovery) return { reason: "read-only", detail: "it is a standby; connect to the primary" }
  if (isReadOnly) {
    return { reason: "read-only", detail: "its transactions are read-only; unset default_transaction_read_only" }
  }
  return undefined
}

/** What keeps this program from running on this schema. `known` is the newest version that the program knows. */
export const schemaProblem = (facts: Facts, known: number): Problem | undefined => {
  const { recorded } = facts
  if (recorded === undefined) {
    return (
      hiddenProblem(facts) ?? {
        reason: "not-migrated",
        detail: "it has no schema; run `stormglass migrate` as its owner"
      }
    )
  }
  if (recorded.version < known) {
    const detail = `its schema is version ${recorded.version}, this program needs ${known}; run \`stormglass migrate\` as its owner`
    return { reason: "older", detail }
  }
  return newerProblem(recorded, known) ?? driftProblem(facts) ?? rightsProblem(facts)
}

/** What keeps the owner from migrating: it is further than this program knows, or not what it was left as. */
export const migrationProblem = (facts: Facts, known: number): Problem | undefined =>
  facts.recorded === undefined ? hiddenProblem(facts) : (newerProblem(facts.recorded, known) ?? driftProblem(facts))

function newerProblem({ oldestProgram, version }: Recorded, known: number): Problem | undefined {
  if (oldestProgram <= known) return undefined
  const detail = `its schema is version ${version}, which needs a program that knows version ${oldestProgram}; this one knows ${known}: upgrade it`
  return { reason: "newer", detail }
}

function driftProblem(facts: Facts): Problem | undefined {
  const found = differences(facts)
  if (found.length === 0) return undefined
  return {
    reason: "changed",
    detail: `its schema was changed by hand: ${listed(found, ", ")}; undo that, then start again`
  }
}

function hiddenProblem({ hidden }: Facts): Problem | undefined {
  if (hidden === undefined) return undefined
  const detail = `the role may not use the schema ${hidden}; run \`stormglass migrate --runtime-role …\` as the owner`
  return { reason: "rights", detail }
}

function rightsProblem({ lacking }: Facts): Problem | undefined {
  if (lacking.length === 0) return undefined
  const detail = `the role may not ${listed(lacking, ", nor ")}; run \`stormglass migrate --runtime-role …\` as the owner`
  return { reason: "rights", detail }
}

const shownMax = 3

function listed(found: ReadonlyArray<string>, between: string): string {
  const more = found.length > shownMax ? ` and ${found.length - shownMax} more` : ""
  return found.slice(0, shownMax).join(between) + more
}

/** What is not as it was recorded, by name. */
export const differences = ({ description, recorded, serverVersion }: Facts): ReadonlyArray<string> => {
  if (recorded === undefined) return []
  const isSameWording = recorded.serverMajor === Math.floor(serverVersion / 10_000)
  const names = new Set([...Object.keys(recorded.description), ...Object.keys(description)])
  // Of a table that is missing, everything is.
  const tables = [...names].filter((name) => name.startsWith("table ") && description[name] === undefined)
  if (tables.length > 0) return tables.map((name) => `${name} is missing`)
  return [...names].toSorted().flatMap((name) => {
    const [before, now] = [recorded.description[name], description[name]]
    const fact = name.startsWith(factMark) ? name.slice(factMark.length) : undefined
    if (before === undefined) return name.startsWith("index ") ? [] : [fact ?? `${name} was added`]
    if (now === undefined) return [fact === undefined ? `${name} is missing` : `no longer: ${fact}`]
    return before !== now && isSameWording ? [`${name} was changed`] : []
  })
}
