/**
 * The sessions of the change feed and of its hints: few, however many follow, and each with the timeouts of every session.
 *
 *   PostgresFeed.layer({ tables }).pipe(Layer.provide(FeedClient.layer({ connection })))
 *
 * One listens, for all who follow (`Feed.ts`); what is asked, told and forgotten takes turns on the others. Its statements may take
 * longer than those of the port: a listing reads whole tables, and no lease waits for it.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Layer from "effect/Layer"
import { idleInTransactionTimeoutMillis, lockTimeoutMillis } from "../../core/Limits.ts"
import { feedAnswerMillis } from "./Feed.ts"
import type { ConnectionSettings } from "./PostgresStorage.ts"

/** So many sessions a process has with the feed, at most. */
export const feedSessionsMax = 3

export interface FeedClientOptions {
  readonly connection: ConnectionSettings
  /** Default 10 s, which is how long the feed waits for an answer. */
  readonly statementTimeoutMillis?: number
}

/** Opens no connection before the first question. */
export const layer = ({
  connection,
  statementTimeoutMillis = feedAnswerMillis
}: FeedClientOptions): Layer.Layer<PgClient.PgClient> =>
  PgClient.layer({
    applicationName: "stormglass feed",
    ...connection,
    maxConnections: feedSessionsMax,
    startupParameters: {
      statement_timeout: String(statementTimeoutMillis),
      lock_timeout: String(lockTimeoutMillis),
      idle_in_transaction_session_timeout: String(idleInTransactionTimeoutMillis),
      default_transaction_isolation: "read committed",
      timezone: "UTC"
    }
  }).pipe(Layer.orDie)
