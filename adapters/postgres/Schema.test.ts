/** The schema as data is one that Postgres takes, and keeps under the names given. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tables } from "../../core/ControlPlane.ts"
import type { Table } from "../../core/ports/Table.ts"
import { database, run, skipped } from "./Database.fixture.ts"
import { createSchema } from "./Schema.ts"

describe.skipIf(skipped())("the tables of the control plane", () => {
  it.live("are created in an empty database, with the constraints declared", () =>
    Effect.gen(function* () {
      const connection = yield* database
      const all = tables as unknown as ReadonlyArray<Table<unknown>>
      yield* run(connection, ...createSchema(all))
      const names = yield* run(
        connection,
        `select conname as name from pg_constraint where contype in ('p', 'u') and connamespace = 'public'::regnamespace
         union all select indexname from pg_indexes where schemaname = 'public' and indexname like '%_idx_%'
         order by name`
      )
      const declared = all.flatMap((table) => [
        `${table.name}_pkey`,
        ...table.unique.map(({ name }) => name),
        ...table.indexes.map(({ name }) => name)
      ])
      assert.deepStrictEqual(
        names.map(({ name }) => name),
        declared.toSorted()
      )
    }).pipe(Effect.scoped)
  )
})
