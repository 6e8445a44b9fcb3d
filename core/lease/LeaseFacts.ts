/** What a node says about the leases that it acts under. */

/**
 * From now on, and for no longer than `remainingMicros` of its own monotonic clock, the node acts under these leases.
 * Said after each acquisition and each renewal; a later one replaces an earlier one of the same lease and epoch.
 */
export interface ActingAs {
  readonly _tag: "ActingAs"
  readonly holder: string
  readonly remainingMicros: number
  readonly grants: ReadonlyArray<{ readonly lease: string; readonly epoch: number }>
}

/** The work under this lease has ended, finalizers included. */
export interface StoppedActing {
  readonly _tag: "StoppedActing"
  readonly holder: string
  readonly lease: string
  readonly epoch: number
}

/**
 * The node asks the store for leases, or to keep or give back those that it has. What it hears is `LeasesTold` with the same number;
 * without that it may have happened, at any time since.
 */
export interface LeasesAsked {
  readonly _tag: "LeasesAsked"
  /** Of this process, from 1. */
  readonly ask: number
  readonly what: "acquire" | "renew" | "release"
  readonly holder: string
  /** For how long, by the database's clock, from when it happens. */
  readonly durationMicros: number
  /** The epoch is 0 where one is asked for. */
  readonly leases: ReadonlyArray<{ readonly lease: string; readonly epoch: number }>
}

export interface LeasesTold {
  readonly _tag: "LeasesTold"
  readonly ask: number
  /** What was granted, kept or given back (all: as it was asked for); the others were refused. Null when certainly nothing happened. */
  readonly granted: ReadonlyArray<{ readonly lease: string; readonly epoch: number }> | "all" | null
}
