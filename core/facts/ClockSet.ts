/**
 * A node's wall clock as it was set: what only the listener's side can know, and what rules by time must bend to. Told
 * when a node starts and whenever its clock jumps or changes its rate; until the next one the clock reads
 * `wallMicros + rate * (now - then)`.
 */
export interface ClockSet {
  readonly _tag: "ClockSet"
  /** What the clock reads from now on, microseconds since 1970. */
  readonly wallMicros: number
  /** Its seconds per second of the listener. */
  readonly rate: number
  /** By how much it jumped; 0 when it did not. */
  readonly jumpMicros: number
}
