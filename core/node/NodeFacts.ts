/** What a node says about its own end. */

/** What the node cannot be without has died; the node ends because of it. */
export interface EssentialDied {
  readonly _tag: "EssentialDied"
  readonly label: string
  /** "TypeError: no such field", one for each error. */
  readonly errors: ReadonlyArray<string>
}
