/**
 * The change feed of a simulated node: the production adapter and driver, over simulated connections to PGlite. It is made when
 * somebody first asks, so that runs without a follower pay nothing.
 */
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { runtimeRole } from "../../adapters/pglite/runtimeRole.ts"
import * as PostgresFeed from "../../adapters/postgres/Feed.ts"
import * as FeedClient from "../../adapters/postgres/FeedClient.ts"
import * as FeedHints from "../../adapters/postgres/FeedHints.ts"
import { Feed } from "../../core/ports/Feed.ts"
import type { Storage } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import type { Network } from "../network/Network.ts"
import { NodeStream } from "./NodeStream.ts"

export const layer = (
  tables: () => ReadonlyArray<Table<unknown>>,
  { database = "database" }: { readonly database?: string } = {}
): Layer.Layer<Feed, never, SimNode> =>
  Layer.effect(
    Feed,
    Effect.gen(function* () {
      const node = yield* CurrentNode
      const network = yield* CurrentNetwork
      const scope = yield* Effect.scope
      const made = yield* Effect.cached(
        Effect.suspend(() => {
          const production = PostgresFeed.layer({ tables: tables() }).pipe(
            Layer.provide(clientOf(network, node, database))
          )
          return Effect.map(Scope.provide(Layer.build(production), scope), (context) => Context.get(context, Feed))
        })
      )
      return {
        list: (asked) => Effect.flatMap(made, (feed) => feed.list(asked)),
        poll: (cursor, options) => Effect.flatMap(made, (feed) => feed.poll(cursor, options)),
        compact: (options) => Effect.flatMap(made, (feed) => feed.compact(options)),
        hints: Effect.flatMap(made, (feed) => feed.hints),
        hintsOf: (topic) => Effect.flatMap(made, (feed) => feed.hintsOf(topic))
      }
    })
  )

/** The storage below, telling followers of what it has written, as in production. */
export const hinting = (
  storage: Layer.Layer<Storage, never, SimNode>,
  { database = "database" }: { readonly database?: string } = {}
): Layer.Layer<Storage, never, SimNode> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const client = clientOf(yield* CurrentNetwork, yield* CurrentNode, database)
      return FeedHints.layer.pipe(Layer.provide([storage, client]))
    })
  )

const clientOf = (network: Network, node: SimNode, database: string) =>
  FeedClient.layer({
    connection: {
      stream: () => new NodeStream(network, node, database) as unknown as Duplex,
      username: runtimeRole,
      database: "postgres"
    }
  })
