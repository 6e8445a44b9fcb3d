/**
 * Which database a world has: the model of Postgres, or another that nodes reach through the same port and that says what
 * it commits in the same facts.
 */
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Feed } from "../../core/ports/Feed.ts"
import type { Storage } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import type { Program, SimNode } from "../kernel/SimNode.ts"
import type { StoredRow } from "./Evaluate.ts"
import type { PoolOptions } from "./Pool.ts"
import { type DatabaseOptions, type DatabaseWorld, SimDatabase } from "./SimDatabase.ts"
import * as SimFeed from "./SimFeed.ts"
import * as SimStorage from "./SimStorage.ts"

export const databaseNames = ["model", "pglite"] as const
export type DatabaseName = (typeof databaseNames)[number]

/** A database as scenarios build it: what its node runs, and what is in it. */
export interface Database {
  readonly program: Program
  /** What is committed, for those who inspect a run. */
  readonly committed: (table: string) => ReadonlyArray<StoredRow>
  /** Commits a row before the story begins: whoever sets the scene needs no node. */
  readonly place: (label: string, table: Table<unknown>, row: StoredRow) => void
}

/** What there is before the story begins, and what of it is watched. */
export interface SqlSetting {
  /** Statements that make it. */
  readonly schema?: string
  /** Queries by name. What they answer is told as a fact (`Observed.ts`): before the story begins, and when a commit has changed it. */
  readonly observe?: Readonly<Record<string, string>>
}

/** A database server for programs that bring SQL of their own. */
export interface SqlServers {
  /** What the server's node runs; without a setting there is nothing in it. One in a world, in place of any other database. */
  readonly make: (world: DatabaseWorld, setting?: SqlSetting) => Program
  /** A pool of connections of a simulated node to the server's, by the driver as it is. */
  readonly client: (options?: {
    readonly database?: string
    readonly keepAlive?: Duration.Input
  }) => Layer.Layer<SqlClient, never, SimNode>
}

/** How a world's databases and the nodes' way to them are made. */
export interface Databases {
  readonly name: DatabaseName
  readonly make: (world: DatabaseWorld, options: Partial<DatabaseOptions> & Pick<DatabaseOptions, "tables">) => Database
  /** The port, for a program on a simulated node. */
  readonly layer: (options?: Partial<PoolOptions>) => Layer.Layer<Storage, never, SimNode>
  /** The same port, and followers of the feed hear at once of what is written through it: by the database itself, or by the port. */
  readonly hinting: (options?: Partial<PoolOptions>) => Layer.Layer<Storage, never, SimNode>
  /** The change feed, likewise; it asks for nothing before somebody follows. */
  readonly feed: (options?: { readonly database?: string }) => Layer.Layer<Feed, never, SimNode>
  /** Undefined where no SQL is spoken: the model's port takes statements as data. */
  readonly sql: SqlServers | undefined
}

export const model: Databases = {
  name: "model",
  make: (world, options) => new SimDatabase(world, options),
  layer: SimStorage.layer,
  hinting: SimStorage.layer,
  feed: SimFeed.layer,
  sql: undefined
}
