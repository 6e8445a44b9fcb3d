/** What a client says about the streams that it watches. */
import type { WatchEvent } from "./WatchFrame.ts"

/** A stream was opened; with a token it goes on where the one before ended, else a listing comes first. */
export interface WatchOpened {
  readonly _tag: "WatchOpened"
  readonly address: string
  readonly isResumed: boolean
}

/** What was known is void, and a listing follows. */
export interface WatchReset {
  readonly _tag: "WatchReset"
}

/** What the stream told, in its order. */
export interface WatchDelivered {
  readonly _tag: "WatchDelivered"
  readonly events: ReadonlyArray<{
    readonly type: WatchEvent["type"]
    readonly kind: WatchEvent["kind"]
    readonly id: string
    /** Tells one state of the row from the one before: its revision, its generation, or the counters themselves. */
    readonly version: string
  }>
  readonly isComplete: boolean
}

/** The token of the watcher is not kept any more. */
export interface WatchExpired {
  readonly _tag: "WatchExpired"
}
