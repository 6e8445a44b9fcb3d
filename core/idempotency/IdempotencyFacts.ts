/** What a node promises to the clients of its API. */

/**
 * The node answers a request that carried an idempotency key. From here on the client may rely on it: the same key gives
 * the same `resultHash` for 24 hours, and what was done stays done.
 */
export interface Acknowledged {
  readonly _tag: "Acknowledged"
  readonly scope: string
  readonly key: string
  readonly status: number
  /** FNV-1a of status and body. */
  readonly resultHash: number
  readonly isReplay: boolean
}
