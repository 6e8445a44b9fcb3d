/** What a node says about the wishes of its clients. */

/** A client asks for the end of the instance with this uid, and of no other. */
export interface DeletionAsked {
  readonly _tag: "DeletionAsked"
  readonly uid: string
}

/** A client says that the host of this agent is gone for good. */
export interface AgentForgetAsked {
  readonly _tag: "AgentForgetAsked"
  readonly agent: string
}

/** A defect in the handling of a request: the client was told 500. The node goes on, and somebody must look. */
export interface RequestPanicked {
  readonly _tag: "RequestPanicked"
  readonly method: string
  /** The path, without what was asked in the query. */
  readonly path: string
  /** "TypeError: no such field", one for each error; empty when the answer 500 was made on purpose. */
  readonly errors: ReadonlyArray<string>
}
