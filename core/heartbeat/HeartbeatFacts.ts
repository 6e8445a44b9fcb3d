/** What the leader says about heartbeats. */

/** So many instances are late together that the cause is taken to be common: nothing is given up until it is released. */
export interface BrakeEngaged {
  readonly _tag: "BrakeEngaged"
  readonly late: number
  readonly running: number
}

export interface BrakeReleased {
  readonly _tag: "BrakeReleased"
}
