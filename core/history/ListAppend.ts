/**
 * Histories of transactions over lists, as their clients saw them: each reads whole lists and appends numbers that nobody
 * else appends to that list. A list that somebody has read tells in which order its writers came, which no register can.
 */

/** `values` is `undefined` where the answer never came. */
export type ListOperation =
  | { readonly _tag: "Append"; readonly key: string; readonly value: number }
  | { readonly _tag: "Read"; readonly key: string; readonly values: ReadonlyArray<number> | undefined }

export interface ListTransaction {
  /** Names it in explanations: "T7", "n1/3". Unique within the history. */
  readonly name: string
  readonly operations: ReadonlyArray<ListOperation>
  /**
   * As its client learnt it. `aborted` is certain never to have taken effect; `unknown` may have, and has if a committed
   * transaction read what it appended.
   */
  readonly outcome: "committed" | "aborted" | "unknown"
  /** Its client, which does one thing after the other: in the order of `times`, or else of the history. */
  readonly process?: string
  /** When it was begun, and over: on one clock, and Infinity where the outcome is unknown. At one moment they overlap. */
  readonly times?: { readonly called: number; readonly returned: number }
}

export const append = (key: string, value: number): ListOperation => ({ _tag: "Append", key, value })

export const read = (key: string, values: ReadonlyArray<number> | undefined): ListOperation => ({
  _tag: "Read",
  key,
  values
})
