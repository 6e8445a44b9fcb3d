/**
 * The storage port of a simulated node: the production adapter and driver, over simulated connections to PGlite.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Duplex } from "node:stream"
import { runtimeRole } from "../../adapters/pglite/runtimeRole.ts"
import * as PostgresStorage from "../../adapters/postgres/PostgresStorage.ts"
import { Storage, StorageError, Unavailable } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import type { Network } from "../network/Network.ts"
import type { PoolOptions } from "../storage/Pool.ts"
import { defaultOptions } from "../storage/SimStorage.ts"
import { NodeStream } from "./NodeStream.ts"

export const layer = (
  tables: () => ReadonlyArray<Table<unknown>>,
  options: Partial<PoolOptions> = {}
): Layer.Layer<Storage, never, SimNode> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const node = yield* CurrentNode
      const network = yield* CurrentNetwork
      const { acquireTimeoutMillis, answerTimeoutMillis, connectionsMax, database } = { ...defaultOptions, ...options }
      const production = PostgresStorage.layer({
        connection: {
          stream: () => new NodeStream(network, node, database) as unknown as Duplex,
          username: runtimeRole,
          database: "postgres"
        },
        tables: tables(),
        connectionsMax,
        acquireTimeoutMillis,
        answerTimeoutMillis
      })
      const storage = Context.get(yield* Layer.build(production), Storage)
      return exhaustible(storage, network, node, acquireTimeoutMillis)
    })
  )

/** The same, with faults of the pool. */
function exhaustible(
  storage: Storage["Service"],
  { hazards }: Network,
  node: SimNode,
  acquireTimeoutMillis: number
): Storage["Service"] {
  let acquired = 0
  const around = <A, E, R>(
    label: string,
    run: Effect.Effect<A, E | StorageError, R>
  ): Effect.Effect<A, E | StorageError, R> =>
    Effect.suspend(() => {
      const nth = acquired++
      if (!hazards.isAnyActive || hazards.hit("storage/pool-exhausted", `${node.name}/pool`, nth) === undefined)
        return run
      const reason = new Unavailable({ detail: "no connection could be had in time" })
      return Effect.delay(Effect.fail(new StorageError({ label, reason })), acquireTimeoutMillis)
    })
  return {
    once: (call, options) => around(options.label, storage.once(call, options)),
    transaction: (body, options) => around(options.label, storage.transaction(body, options))
  }
}
