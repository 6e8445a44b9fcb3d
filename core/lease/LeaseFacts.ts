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
