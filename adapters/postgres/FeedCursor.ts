/**
 * What a cursor of the change feed says: which transactions its holder has seen, as a snapshot of Postgres. Pure.
 *
 * - K1 A cursor's snapshot ends no later than the newest transaction that wrote a change. A transaction id above it may be
 *   given out a second time: ids of transactions whose log records were not yet on disk when the server crashed are. Those up
 *   to a committed change are on disk with it.
 */
import * as Schema from "effect/Schema"

/** Transactions below `xmin` have ended, so have those below `xmax` that are not listed. Ids are 64 bits and never wrap. */
export interface Snapshot {
  readonly xmin: bigint
  readonly xmax: bigint
  /** Under way, ascending. */
  readonly underWay: ReadonlyArray<bigint>
}

export interface FeedCursor {
  /** The server's system identifier and its timeline, which of its databases it is, and what that was last restored as. */
  readonly history: string
  /** All of these were given. */
  readonly seen: Snapshot
  /** Of these, those that are not in `seen` and have no higher position were given. */
  readonly upTo: { readonly snapshot: Snapshot; readonly position: bigint } | undefined
}

/** As `pg_current_snapshot()` writes it: `10:20:10,14`. */
export const toSnapshot = (text: string): Snapshot => {
  const [xmin, xmax, list] = text.split(":")
  return { xmin: BigInt(xmin!), xmax: BigInt(xmax!), underWay: list!.split(",").filter(Boolean).map(BigInt) }
}

export const ofSnapshot = ({ underWay, xmax, xmin }: Snapshot): string => `${xmin}:${xmax}:${underWay.join(",")}`

/** The same transactions, below `end`. */
export const cut = ({ underWay, xmax, xmin }: Snapshot, end: bigint): Snapshot => ({
  xmin: xmin < end ? xmin : end,
  xmax: xmax < end ? xmax : end,
  underWay: underWay.filter((id) => id < end)
})

const snapshotPattern = /^[1-9]\d{0,18}:[1-9]\d{0,18}:(\d{1,19}(,\d{1,19})*)?$/

const Encoded = Schema.Struct({
  version: Schema.Literal(1),
  history: Schema.String,
  seen: Schema.String.check(Schema.isPattern(snapshotPattern)),
  upTo: Schema.optionalKey(
    Schema.Struct({
      snapshot: Schema.String.check(Schema.isPattern(snapshotPattern)),
      position: Schema.String.check(Schema.isPattern(/^\d{1,19}$/))
    })
  )
})

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Encoded))

export const encode = ({ history, seen, upTo }: FeedCursor): string => {
  const encoded: typeof Encoded.Type = {
    version: 1,
    history,
    seen: ofSnapshot(seen),
    ...(upTo === undefined ? {} : { upTo: { snapshot: ofSnapshot(upTo.snapshot), position: String(upTo.position) } })
  }
  return Buffer.from(JSON.stringify(encoded)).toString("base64url")
}

/** `undefined` for what no feed has given. */
export const decode = (cursor: string): FeedCursor | undefined => {
  const found = decodeJson(Buffer.from(cursor, "base64url").toString())
  if (found._tag === "None") return undefined
  const { history, seen, upTo } = found.value
  const read = { history, seen: toSnapshot(seen) }
  if (!isSnapshot(read.seen)) return undefined
  if (upTo === undefined) return { ...read, upTo: undefined }
  const snapshot = toSnapshot(upTo.snapshot)
  return isSnapshot(snapshot) ? { ...read, upTo: { snapshot, position: BigInt(upTo.position) } } : undefined
}

/** What Postgres accepts as one. */
function isSnapshot({ underWay, xmax, xmin }: Snapshot): boolean {
  const isAscending = underWay.every((id, at) => at === 0 || underWay[at - 1]! < id)
  return xmin <= xmax && isAscending && underWay.every((id) => xmin <= id && id < xmax)
}
