/** What a node says about its place among the members. */

/** The process has its name and incarnation; nothing of it acted before. */
export interface Joined {
  readonly _tag: "Joined"
  readonly id: string
  readonly incarnation: number
  readonly address: string
}

/** From the members it sees (`version`), the node has computed that these bucket groups should be its own. */
export interface Assigned {
  readonly _tag: "Assigned"
  readonly id: string
  readonly version: string
  readonly bucketGroups: ReadonlyArray<number>
}
