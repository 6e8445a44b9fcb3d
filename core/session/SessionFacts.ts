/** What is said about sessions: by nodes, and by those who open them. */

/** A node takes a handshake; `held` sessions and streams with this one. */
export interface HandshakeAdmitted {
  readonly _tag: "HandshakeAdmitted"
  readonly held: number
  readonly perSecond: number
  readonly burst: number
  readonly sessionsMax: number
}

/** An agent was welcomed. */
export interface SessionOpened {
  readonly _tag: "SessionOpened"
  readonly agent: string
  readonly address: string
  readonly incarnation: number
}
