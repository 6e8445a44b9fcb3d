/**
 * Worlds whose database is PGlite: production SQL, adapter and driver under virtual time.
 */
import * as Layer from "effect/Layer"
import type { Pglite } from "../../adapters/pglite/Pglite.ts"
import type { Table } from "../../core/ports/Table.ts"
import type { Databases } from "../storage/Databases.ts"
import { Instance } from "./Instance.ts"
import { PgliteDatabase } from "./PgliteDatabase.ts"
import * as PgliteFeed from "./PgliteFeed.ts"
import * as PgliteStorage from "./PgliteStorage.ts"
import * as SimPgClient from "./SimPgClient.ts"
import * as SqlServer from "./SqlServer.ts"

/** One world at a time: they share this PGlite, and nothing that one leaves in it reaches the next. */
export const make = (pglite: Pglite): Databases => {
  const instance = new Instance(pglite)
  let tables: ReadonlyArray<Table<unknown>> = []
  return {
    name: "pglite",
    make: (world, options) => {
      tables = options.tables
      return new PgliteDatabase(instance, world, options)
    },
    layer: (options) => PgliteStorage.layer(() => tables, options),
    hinting: (options) =>
      PgliteFeed.hinting(
        PgliteStorage.layer(() => tables, options),
        options
      ),
    feed: (options) => PgliteFeed.layer(() => tables, options),
    sql: {
      make: (world, setting = {}) => SqlServer.make(instance, world, setting).program,
      client: (options) => Layer.orDie(SimPgClient.layer(options))
    }
  }
}
