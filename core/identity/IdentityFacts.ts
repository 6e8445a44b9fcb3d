/** What a node says about those who come to it. */
import type { Verb } from "./Access.ts"

/** Who asks is known, and may; whether it is his turn is not judged yet. */
export interface Authorized {
  readonly _tag: "Authorized"
  readonly principal: string
  readonly keyId: string | null
  readonly verb: Verb
  /** Null: what belongs to no project, or whose project is not known yet. */
  readonly project: string | null
}

/** One request was counted against a limit, and goes on. */
export interface TurnTaken {
  readonly _tag: "TurnTaken"
  /** "principal/alice". */
  readonly scope: string
  readonly perSecond: number
  readonly burst: number
}
