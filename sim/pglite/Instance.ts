/**
 * The PGlite of a thread: booted once, before any run, and emptied for each.
 *
 * - I1 Nothing of one run is seen by the next: tables are empty, statements and settings forgotten. What goes on counting
 *   (transaction ids, file numbers) never leaves the database.
 * - I2 Its clock is whatever the caller says it is, to the microsecond.
 */
import type { Table } from "../../core/ports/Table.ts"
import { fieldsOf } from "../../adapters/pglite/Backend.ts"
import { concat, framesOf } from "../../adapters/pglite/Frames.ts"
import * as Frontend from "../../adapters/pglite/Frontend.ts"
import { createRole, runtimeRole } from "../../adapters/pglite/runtimeRole.ts"
import type { Pglite } from "../../adapters/pglite/Pglite.ts"
import { createSchema } from "../../adapters/postgres/Schema.ts"
import {
  changesTable,
  createFeed,
  firstFloor,
  floorTable,
  recordChangesOf
} from "../../adapters/postgres/FeedSchema.ts"
import { name } from "../../adapters/postgres/Sql.ts"
import * as Trap from "../host/Trap.ts"
import { epochMicros } from "../kernel/NodeClock.ts"

export class Instance {
  readonly #pglite: Pglite
  /** What stands in it: the statements that made it. */
  #schema = ""

  constructor(pglite: Pglite) {
    this.#pglite = pglite
  }

  /** Messages of the protocol to PGlite, at this time of the database's clock. */
  execute(messages: Uint8Array, wallMicros: number): Uint8Array {
    return Trap.lend(Math.floor(wallMicros), () => this.#pglite.execute(messages))
  }

  /** These tables, and nothing in them. */
  empty(tables: ReadonlyArray<Table<unknown>>): void {
    this.reset()
    const statements = [...createSchema(tables), ...createFeed, ...tables.flatMap(recordChangesOf)]
    const schema = statements.join(";\n")
    if (schema !== this.#schema) {
      this.clear()
      for (const statement of statements) this.#run(statement)
      this.#run(createRole)
      this.#run(`grant usage on schema public to ${runtimeRole}`)
      this.#run(`grant select, insert, update, delete on all tables in schema public to ${runtimeRole}`)
      this.#schema = schema
    } else {
      // Without triggers: what is append-only in a run is nothing for the next.
      this.#run("set session_replication_role = replica")
      this.#run(`truncate ${tables.map((table) => name(table.name)).join(", ")}`)
      this.#run("set session_replication_role = origin")
      this.#run(`truncate ${changesTable} restart identity`)
      this.#run(`truncate ${floorTable}`)
      this.#run(firstFloor)
    }
  }

  /** A database in which nobody has made anything yet. */
  clear(): void {
    this.reset()
    this.#schema = ""
    this.#run(forget)
    this.#run("create schema public")
  }

  /** As after a restart of the server: no transaction, nothing prepared, set or listened to. */
  reset(): void {
    this.execute(concat([Frontend.sync(), Frontend.query("rollback")]), epochMicros)
    this.#run("discard all")
  }

  #run(text: string): void {
    const error = framesOf(this.execute(Frontend.query(text), epochMicros)).find(({ type }) => type === "E")
    if (error !== undefined) throw new Error(`${fieldsOf(error)["M"] ?? "refused"}: ${text}`)
  }
}

/** What programs make: schemas with all that is in them, extensions, roles, and settings of the database. */
const forget = `do $$ declare name text; begin
  for name in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
    execute format('drop schema %I cascade', name);
  end loop;
  for name in select extname from pg_extension where extname <> 'plpgsql' loop
    execute format('drop extension %I cascade', name);
  end loop;
  for name in select rolname from pg_roles where rolname !~ '^pg_' and rolname not in (current_user, '${runtimeRole}') loop
    execute format('drop owned by %I cascade', name);
    execute format('drop role %I', name);
  end loop;
  execute format('alter database %I reset all', current_database());
end $$`
