/**
 * `PgClient` for any program on a simulated node: the driver as it is, over simulated connections to a node with PGlite in it. What
 * happens to links, nodes and clocks of the simulation happens to it: bytes that are held, lost or late, connections that are cut or
 * refused, a server that is slow, gone, or has another time.
 *
 *   world.addNode("database", requireSql(world).make(world)).start()
 *   world.addNode("n1", Effect.provide(program, SimPgClient.layer())).start()
 *
 * All sessions of the server share the one that PGlite has (`PgliteServer.ts`), so whoever holds a transaction open holds up all others, and
 * not only those who want the same rows. `keepAlive` asks the server's host for life after so long a silence, as on a socket of its own. Where the program sets no limit, the server ends a session that is idle in a transaction for 10 s.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Duplex } from "node:stream"
import { superuser } from "../../adapters/pglite/Multiplexer.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import { NodeStream } from "./NodeStream.ts"

/** Everything of the driver's but where the server is and how bytes get there. */
export interface SimPgClientOptions extends Omit<
  PgClient.PgPoolConfig,
  "url" | "host" | "port" | "path" | "ssl" | "stream" | "database" | "multiplex"
> {
  /** The node of the server. Default "database". */
  readonly database?: string
}

/** Opens no connection before the first statement, unless `minConnections` says so. */
export const layer = ({ database = "database", startupParameters, ...options }: SimPgClientOptions = {}): Layer.Layer<
  PgClient.PgClient | SqlClient,
  SqlError,
  SimNode
> =>
  Layer.unwrap(
    Effect.gen(function* () {
      // The driver refuses what is no duration, and hands it on to sockets of its own only.
      const { keepAlive } = options
      const keepAliveMillis = keepAlive === undefined ? undefined : Math.floor(Duration.toSeconds(keepAlive)) * 1_000
      const node = yield* CurrentNode
      const network = yield* CurrentNetwork
      return PgClient.layer({
        username: superuser,
        ...options,
        database: "postgres",
        startupParameters: { idle_in_transaction_session_timeout: "10000", timezone: "UTC", ...startupParameters },
        stream: () => new NodeStream(network, node, database, keepAliveMillis) as unknown as Duplex
      })
    })
  )
