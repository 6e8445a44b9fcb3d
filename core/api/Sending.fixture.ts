/** The API without a server, on a store without a row. */
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Etag from "effect/http/Etag"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { tables } from "../ControlPlane.ts"
import * as Gate from "../identity/Gate.ts"
import { httpBodyBytesMax } from "../Limits.ts"
import { Membership } from "../member/Membership.ts"
import { Compacted, Feed, FeedError } from "../ports/Feed.ts"
import { makeTransaction, type Statement, Storage } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"
import * as Admission from "../session/Admission.ts"
import { checkStatement } from "../storage/checkStatement.ts"
import { makeStorage } from "../storage/makeStorage.ts"
import { Watch } from "../watch/Watch.ts"
import * as HealthRoutes from "./HealthRoutes.ts"
import * as MetricsRoutes from "./MetricsRoutes.ts"
import * as Routes from "./Routes.ts"
import * as ServedRoutes from "./ServedRoutes.ts"
import * as AgentSessions from "../session/AgentSessions.ts"
import * as SessionRoutes from "./SessionRoutes.ts"
import * as WatchRoutes from "./WatchRoutes.ts"

/** A store without a row, which dies of what every store dies of. */
const emptyStore = () => {
  const asked: Array<Statement> = []
  const answer = (statement: Statement) =>
    Effect.sync(() => {
      checkStatement(statement, (name) => tables.find((table) => table.name === name) as Table<unknown> | undefined)
      asked.push(statement)
      return { rows: [], count: 0 }
    })
  const storage = makeStorage({
    once: answer,
    begin: () => ({
      transaction: makeTransaction(answer),
      start: Effect.void,
      commit: Effect.void,
      rollback: Effect.void,
      abandon: () => undefined,
      isOver: false
    })
  })
  return { asked, storage }
}

const refuse = () => Effect.fail(new FeedError({ reason: new Compacted() }))
const self = { id: "n1", address: "", incarnation: 1, weight: 1, joinedAt: 0, seenAt: 0, leavingAt: null }

const servicesOf = (storage: Storage["Service"]) =>
  Layer.mergeAll(
    Layer.succeed(Storage, storage),
    Layer.succeed(Feed, {
      list: () => Effect.succeed({ rows: [], cursor: "c" }),
      poll: refuse,
      compact: refuse,
      hints: Effect.never,
      hintsOf: () => Effect.never
    }),
    Gate.open,
    Layer.succeed(Watch, { open: refuse, listen: () => Effect.void, stop: Effect.void }),
    Layer.succeed(Membership, { self, beat: Effect.never }),
    HttpPlatform.layer.pipe(Layer.provide(FileSystem.layerNoop({}))),
    Etag.layer,
    Path.layer,
    FileSystem.layerNoop({})
  )

/** `path` without "/v1/". */
export const send = async (
  method: string,
  path: string,
  options: { readonly body?: string | Uint8Array<ArrayBuffer>; readonly headers?: object } = {}
) => {
  const { asked, storage } = emptyStore()
  const services = servicesOf(storage)
  const { dispose, handler } = HttpRouter.toWebHandler(
    ServedRoutes.layer(Routes.layer).pipe(Layer.provideMerge(services)),
    {
      disableLogger: true
    }
  )
  const headers = { "content-type": "application/json", "x-idempotency-key": "k", ...options.headers }
  const request = new Request(`http://n1:8081/v1/${path}`, { method, headers, body: options.body ?? null })
  const limits = Context.make(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(httpBodyBytesMax))
  const response = await handler(request, limits)
  const text = await response.text()
  await dispose()
  return { status: response.status, headers: response.headers, text, asked: asked.length }
}

/** Every route of a node's API: "GET /v1/instances/{uid}". */
export const served = (): Effect.Effect<ReadonlyArray<string>> => {
  const app = Layer.mergeAll(
    Routes.layer,
    WatchRoutes.layer,
    SessionRoutes.layer,
    HealthRoutes.layer({ isStopping: () => false }),
    MetricsRoutes.layer
  )
  return Effect.map(ServedRoutes.ServedRoutes, (found) =>
    [...found].flatMap(([path, methods]) =>
      [...methods].map((method) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`)
    )
  ).pipe(
    Effect.provide(
      ServedRoutes.layer(app).pipe(
        Layer.provide([AgentSessions.layer, Admission.layer()]),
        Layer.provide([HttpRouter.layer, servicesOf(emptyStore().storage)])
      )
    ),
    Effect.scoped
  )
}
