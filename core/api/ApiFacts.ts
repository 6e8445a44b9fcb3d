/** What a node says about the wishes of its clients. */

/** A client asks for the end of the instance with this uid, and of no other. */
export interface DeletionAsked {
  readonly _tag: "DeletionAsked"
  readonly uid: string
}
