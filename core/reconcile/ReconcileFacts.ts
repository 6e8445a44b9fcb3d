/** What a node says about its reconciling. */

/** One look at one key has ended. `detail` says why, when it failed. */
export interface Reconciled {
  readonly _tag: "Reconciled"
  readonly key: string
  readonly outcome: "Done" | "Again" | "Failed"
  readonly detail: string
}

/** A defect in the work on one key. The loop goes on, the key backs off, and somebody must look. */
export interface ReconcilePanicked {
  readonly _tag: "ReconcilePanicked"
  readonly key: string
  /** "TypeError: no such field", one for each error. */
  readonly errors: ReadonlyArray<string>
}

/** A call to the provider begins, under this lease. */
export interface EffectStarted {
  readonly _tag: "EffectStarted"
  readonly effect: "start" | "stop"
  readonly uid: string
  readonly lease: string
  readonly epoch: number
}

/** It has ended, as far as the node knows. */
export interface EffectEnded {
  readonly _tag: "EffectEnded"
  readonly effect: "start" | "stop"
  readonly uid: string
  readonly lease: string
  readonly epoch: number
  readonly outcome: "done" | "failed" | "interrupted"
}
