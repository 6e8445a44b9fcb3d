/**
 * Messages and replies as `SqlMessageStorage` keeps them on Postgres: tables `cluster_messages` and `cluster_replies`, with the keys that
 * refuse a second exit of a request, or anything that is there already. Not with the widths of columns.
 *
 * What is asked for comes in the order in which it was saved.
 */
import type * as EntityAddress from "effect/cluster/EntityAddress"
import type * as Envelope from "effect/cluster/Envelope"
import { type Encoded, type SaveResult, SaveResultEncoded } from "effect/cluster/MessageStorage"
import type * as Reply from "effect/cluster/Reply"
import * as ShardId from "effect/cluster/ShardId"
import * as Snowflake from "effect/cluster/Snowflake"
import * as Option from "effect/Option"

/** So long a message belongs to whoever has read it. */
const claimMillis = 600_000

interface MessageRow {
  /** In order of insertion. */
  readonly row: number
  readonly id: string
  readonly requestId: string
  readonly primaryKey: string | null
  readonly envelope: Envelope.Encoded
  readonly shard: string
  readonly deliverAt: number | null
  isProcessed: boolean
  lastReplyId: string | undefined
  lastReadMillis: number | undefined
}

interface ReplyRow {
  readonly row: number
  readonly reply: Reply.Encoded
  isAcked: boolean
}

/** A key is there already. */
export class UniqueViolation extends Error {
  override readonly name = "UniqueViolation"
}

export type Unprocessed = ReadonlyArray<{
  readonly envelope: Envelope.Encoded
  readonly lastSentReply: Option.Option<Reply.Encoded>
}>

type Arguments<M extends keyof Encoded> = Encoded[M] extends (...args: infer A) => unknown ? A : never

/** Every method is one transaction; those that save die with `UniqueViolation`. `nowMillis` is the time of whoever keeps the tables. */
export class MessageTable {
  readonly #messages = new Map<string, MessageRow>()
  readonly #byRequest = new Map<string, Set<MessageRow>>()
  readonly #byPrimaryKey = new Map<string, MessageRow>()
  /** Those that are not processed, in order of insertion. */
  #open: Array<MessageRow> = []
  readonly #replies = new Map<string, ReplyRow>()
  readonly #repliesByRequest = new Map<string, Array<ReplyRow>>()
  #rows = 0

  saveEnvelope(_: number, { deliverAt, envelope, primaryKey }: Arguments<"saveEnvelope">[0]): SaveResult.Encoded {
    const existing = primaryKey === null ? undefined : this.#byPrimaryKey.get(primaryKey)
    if (existing !== undefined) {
      return SaveResultEncoded.Duplicate({
        originalId: Snowflake.Snowflake(existing.id),
        lastReceivedReply: Option.fromNullishOr(this.#lastReply(existing))
      })
    }
    const id = envelope._tag === "Request" ? envelope.requestId : envelope.id
    if (this.#messages.has(id)) throw new UniqueViolation(`there is a message ${id}`)
    if (envelope._tag === "AckChunk" && primaryKey === null) {
      const acked = this.#replies.get(envelope.replyId)
      if (acked !== undefined) acked.isAcked = true
      for (const row of this.#ofRequest(envelope.requestId)) {
        if (row.envelope._tag === "AckChunk") this.#close(row)
      }
    }
    const { address, requestId } = envelope
    const row: MessageRow = {
      row: this.#rows++,
      id,
      requestId,
      primaryKey,
      envelope: stored(envelope),
      shard: ShardId.toString(address.shardId),
      deliverAt,
      isProcessed: false,
      lastReplyId: undefined,
      lastReadMillis: undefined
    }
    this.#messages.set(id, row)
    this.#byRequest.set(requestId, this.#ofRequest(requestId).add(row))
    if (primaryKey !== null) this.#byPrimaryKey.set(primaryKey, row)
    this.#open.push(row)
    return SaveResultEncoded.Success()
  }

  saveReply(_: number, reply: Reply.Encoded): void {
    const { id, requestId } = reply
    const others = this.#repliesByRequest.get(requestId) ?? []
    if (this.#replies.has(id)) throw new UniqueViolation(`there is a reply ${id}`)
    if (others.some(({ reply: other }) => isSameOf(other, reply))) {
      throw new UniqueViolation(`request ${requestId} has such a reply`)
    }
    if (reply._tag === "WithExit") {
      for (const row of this.#ofRequest(requestId)) {
        row.lastReplyId = id
        this.#close(row)
      }
    } else {
      const message = this.#messages.get(requestId)
      if (message !== undefined) message.lastReplyId = id
    }
    const row: ReplyRow = { row: this.#rows++, reply: copyOf(reply), isAcked: false }
    this.#replies.set(id, row)
    this.#repliesByRequest.set(requestId, [...others, row])
  }

  clearReplies(_: number, requestId: Snowflake.Snowflake, options?: Arguments<"clearReplies">[1]): void {
    const id = String(requestId)
    const expected = options?.expectedReplyId === undefined ? undefined : String(options.expectedReplyId)
    if (expected === undefined || this.#messages.get(id)?.lastReplyId === expected) {
      this.#forgetReplies(id, ({ reply }) => reply._tag === "WithExit")
    }
    for (const row of this.#ofRequest(id)) {
      if (expected === undefined && row.envelope._tag === "Interrupt") this.#delete(row)
      else if (expected === undefined || row.lastReplyId === expected) {
        row.lastReplyId = undefined
        row.lastReadMillis = undefined
        this.#reopen(row)
      }
    }
  }

  requestIdForPrimaryKey(_: number, primaryKey: string): Option.Option<Snowflake.Snowflake> {
    return Option.map(Option.fromNullishOr(this.#byPrimaryKey.get(primaryKey)), ({ id }) => Snowflake.Snowflake(id))
  }

  /** Exits, and chunks that nobody has acknowledged. */
  repliesFor(_: number, requestIds: ReadonlyArray<string>): ReadonlyArray<Reply.Encoded> {
    return this.#repliesOf(requestIds).flatMap((row) => (isOpen(row) ? [row.reply] : []))
  }

  repliesForUnfiltered(_: number, requestIds: ReadonlyArray<string>): ReadonlyArray<Reply.Encoded> {
    return this.#repliesOf(requestIds).map(({ reply }) => reply)
  }

  /** Claims what it answers. */
  unprocessedMessages(
    nowMillis: number,
    shards: ReadonlyArray<string>,
    callerMillis: number,
    { addresses, limit = Infinity }: NonNullable<Arguments<"unprocessedMessages">[2]> = {}
  ): Unprocessed {
    const isWanted = addresses === undefined ? () => true : isAt(addresses)
    const claimed: Array<MessageRow> = []
    for (const row of this.#open) {
      if (claimed.length >= Math.floor(limit)) break
      const { lastReadMillis } = row
      if (lastReadMillis !== undefined && lastReadMillis >= nowMillis - claimMillis) continue
      if (!shards.includes(row.shard) || !isWanted(row) || !this.#isDue(row, callerMillis)) continue
      claimed.push(row)
    }
    for (const row of claimed) row.lastReadMillis = nowMillis
    return claimed.map((row) => this.#unprocessed(row))
  }

  unprocessedMessagesById(_: number, ids: Iterable<Snowflake.Snowflake>, callerMillis: number): Unprocessed {
    const wanted = new Set(Array.from(ids, String))
    const rows = this.#open.filter((row) => wanted.has(row.id) && this.#isDue(row, callerMillis))
    return rows.map((row) => this.#unprocessed(row))
  }

  resetRequests(_: number, requestIds: ReadonlyArray<Snowflake.Snowflake>): void {
    const ids = new Set(requestIds.map(String))
    this.#release(({ id }) => ids.has(id))
  }

  resetAddresses(_: number, addresses: ReadonlyArray<EntityAddress.EntityAddress>): void {
    this.#release(isAt(addresses))
  }

  /** What effect called it before 4.1.0. */
  resetAddress(_: number, address: EntityAddress.EntityAddress): void {
    this.resetAddresses(_, [address])
  }

  resetShards(_: number, shards: ReadonlyArray<string>): void {
    this.#release(({ shard }) => shards.includes(shard))
  }

  /** In whichever shard. */
  clearAddress(_: number, { entityId, entityType }: EntityAddress.EntityAddress): void {
    for (const row of this.#messages.values()) {
      const { address } = row.envelope
      if (address.entityType !== entityType || address.entityId !== entityId) continue
      this.#forgetReplies(row.id, () => true)
      this.#delete(row)
    }
  }

  #ofRequest(requestId: string): Set<MessageRow> {
    return this.#byRequest.get(requestId) ?? new Set()
  }

  #lastReply({ lastReplyId }: MessageRow): Reply.Encoded | undefined {
    return lastReplyId === undefined ? undefined : this.#replies.get(lastReplyId)?.reply
  }

  #repliesOf(requestIds: ReadonlyArray<string>): ReadonlyArray<ReplyRow> {
    const rows = [...new Set(requestIds)].flatMap((id) => this.#repliesByRequest.get(id) ?? [])
    return requestIds.length < 2 ? rows : rows.toSorted((one, other) => one.row - other.row)
  }

  #isDue({ deliverAt, requestId }: MessageRow, callerMillis: number): boolean {
    if (deliverAt !== null && deliverAt > callerMillis) return false
    return !(this.#repliesByRequest.get(requestId) ?? []).some(isOpen)
  }

  #unprocessed(row: MessageRow): Unprocessed[number] {
    const { envelope } = row
    const last = envelope._tag === "Request" ? this.#lastReply(row) : undefined
    return { envelope, lastSentReply: Option.fromNullishOr(last) }
  }

  #release(isReleased: (row: MessageRow) => boolean): void {
    for (const row of this.#open) if (isReleased(row)) row.lastReadMillis = undefined
  }

  #close(row: MessageRow): void {
    if (row.isProcessed) return
    row.isProcessed = true
    this.#open.splice(this.#open.indexOf(row), 1)
  }

  #reopen(row: MessageRow): void {
    if (!row.isProcessed) return
    row.isProcessed = false
    this.#open.push(row)
    this.#open.sort((one, other) => one.row - other.row)
  }

  #delete(row: MessageRow): void {
    this.#close(row)
    this.#messages.delete(row.id)
    this.#ofRequest(row.requestId).delete(row)
    if (row.primaryKey !== null) this.#byPrimaryKey.delete(row.primaryKey)
  }

  #forgetReplies(requestId: string, isForgotten: (row: ReplyRow) => boolean): void {
    const rows = this.#repliesByRequest.get(requestId)
    if (rows === undefined) return
    for (const row of rows) if (isForgotten(row)) this.#replies.delete(row.reply.id)
    this.#repliesByRequest.set(
      requestId,
      rows.filter((row) => !isForgotten(row))
    )
  }
}

/** Keys (request_id, kind) and (request_id, sequence). */
function isSameOf(one: Reply.Encoded, other: Reply.Encoded): boolean {
  if (one._tag === "WithExit" || other._tag === "WithExit") return one._tag === other._tag
  return one.sequence === other.sequence
}

/** While there is such a reply its request's messages are not due. */
function isOpen({ isAcked, reply }: ReplyRow): boolean {
  return reply._tag === "WithExit" || !isAcked
}

function isAt(addresses: ReadonlyArray<EntityAddress.EntityAddress>): (row: MessageRow) => boolean {
  const keys = new Set(addresses.map((address) => JSON.stringify(keyOf(address))))
  return ({ envelope }) => keys.has(JSON.stringify(keyOf(envelope.address)))
}

function keyOf({ entityId, entityType, shardId }: Envelope.Encoded["address"]): ReadonlyArray<string> {
  return [ShardId.toString(shardId), entityType, entityId]
}

/** What comes back of an envelope. */
function stored(envelope: Envelope.Encoded): Envelope.Encoded {
  if (envelope._tag !== "Request") return copyOf(envelope)
  const { payload, sampled, spanId, traceId, ...rest } = envelope
  const span = traceId === undefined ? {} : { traceId, spanId, sampled: sampled === true }
  return copyOf({ ...rest, ...span, payload: payload ?? null } as Envelope.Encoded)
}

function copyOf<A>(value: A): A {
  return JSON.parse(JSON.stringify(value)) as A
}
