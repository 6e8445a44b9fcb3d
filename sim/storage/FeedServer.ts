/**
 * The feed's side of the simulated database, and what travels between it and its clients. Notifications go to those who
 * listen, after the commit, and may be lost: the fault `storage/lost-notification` strikes them one by one.
 */
import type { Table } from "../../core/ports/Table.ts"
import { type Topic, topicsOfRemoval, topicsOfWrite } from "../../core/ports/Topic.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { type End, type Handlers, listen } from "../network/Connection.ts"
import type { Network } from "../network/Network.ts"
import type { Hazards } from "../nemesis/Hazards.ts"
import type { Commit } from "./Engine.ts"
import type { StoredRow } from "./Evaluate.ts"
import { FeedLog, type Polled } from "./FeedLog.ts"

export const feedPort = 5433

export type FeedRequest =
  | { readonly _tag: "List"; readonly tables: ReadonlyArray<string> }
  | { readonly _tag: "Poll"; readonly cursor: string; readonly changesMax: number }
  | { readonly _tag: "Compact"; readonly olderThanMillis: number }
  | { readonly _tag: "Listen"; readonly topic: Topic | undefined }

export type FeedReply =
  | {
      readonly _tag: "Listed"
      readonly rows: ReadonlyArray<{ readonly table: string; readonly row: StoredRow }>
      readonly cursor: string
    }
  | { readonly _tag: "Polled"; readonly polled: Polled }
  | { readonly _tag: "Forgotten"; readonly count: number }
  | { readonly _tag: "Listening" }
  | { readonly _tag: "Notification" }

/** Rough sizes, for the window of the connection. */
export const feedRequestBytes = 200
export const feedReplyBytes = (reply: FeedReply): number => {
  if (reply._tag === "Listed") return 100 + 150 * reply.rows.length
  if (reply._tag === "Polled" && reply.polled._tag === "Batch") return 100 + 300 * reply.polled.changes.length
  return 50
}

/** What the server needs of the database that it belongs to. */
export interface FeedHost {
  readonly world: { readonly network: Network; readonly hazards: Hazards }
  readonly options: { readonly tables: ReadonlyArray<Table<unknown>> }
  readonly node: SimNode
  readonly committed: (table: string) => ReadonlyArray<StoredRow>
}

export class FeedServer {
  readonly log: FeedLog
  readonly #host: FeedHost
  readonly #topicsOf: (commit: Commit) => ReadonlySet<Topic>
  /** Those who listen, to what, and how many notifications each was sent. */
  readonly #listeners = new Map<End, { readonly topic: Topic | undefined; nth: number }>()

  constructor(host: FeedHost) {
    this.#host = host
    this.log = new FeedLog(host.options.tables)
    const tables = new Map(host.options.tables.map((table) => [table.name, table]))
    this.#topicsOf = ({ atMicros, changes }) =>
      new Set(
        changes.flatMap(({ after, before, table: name }) => {
          const table = tables.get(name)!
          if (after === null) return topicsOfRemoval(table)
          return topicsOfWrite(table, (column) => {
            const written = after[column]
            return typeof written === "number" && written !== before?.[column] && written <= atMicros
          })
        })
      )
  }

  /** The database has started: what its former life knew of connections is gone. */
  open(node: SimNode): void {
    this.#listeners.clear()
    listen(this.#host.world.network, node, feedPort, (end) => this.#accept(end))
  }

  committed(commit: Commit): void {
    this.log.add(commit)
    const { hazards } = this.#host.world
    if (this.#listeners.size === 0) return
    const about = this.#topicsOf(commit)
    for (const [end, listener] of this.#listeners) {
      if (listener.topic !== undefined && !about.has(listener.topic)) continue
      const nth = listener.nth++
      const subject = `${end.link.target}>${end.link.source}/${end.connection}`
      const isLost = hazards.isAnyActive && hazards.hit("storage/lost-notification", subject, nth) !== undefined
      if (!isLost) send(end, { _tag: "Notification" })
    }
  }

  #accept(end: End): Handlers {
    return {
      onMessage: (request: FeedRequest) => {
        end.consumed(feedRequestBytes)
        send(end, this.#answer(end, request))
      },
      onClose: () => void this.#listeners.delete(end)
    }
  }

  #answer(end: End, request: FeedRequest): FeedReply {
    switch (request._tag) {
      case "List": {
        const rows = request.tables.flatMap((table) => this.#host.committed(table).map((row) => ({ table, row })))
        return { _tag: "Listed", rows, cursor: this.log.cursor }
      }
      case "Poll":
        return { _tag: "Polled", polled: this.log.poll(request.cursor, request.changesMax) }
      case "Compact": {
        const before = this.#host.node.clock.wallMicros() - request.olderThanMillis * 1_000
        return { _tag: "Forgotten", count: this.log.compact(before) }
      }
      case "Listen":
        this.#listeners.set(end, { topic: request.topic, nth: 0 })
        return { _tag: "Listening" }
    }
  }
}

function send(end: End, reply: FeedReply): void {
  end.send(reply, feedReplyBytes(reply), reply._tag, { feed: reply._tag })
}
