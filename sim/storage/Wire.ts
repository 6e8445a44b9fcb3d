/**
 * What travels between a storage client and the database: requests of one or more commands, answered once each, in
 * order. The first command that fails ends its request, and the transaction that the request itself began.
 */
import type { Fence, Isolation, Reason, Statement } from "../../core/ports/Storage.ts"
import type { CommitOutcome, Outcome } from "./Session.ts"

/** Where databases listen. */
export const databasePort = 5432

export type Command =
  | { readonly _tag: "Begin"; readonly isolation: Isolation; readonly project?: string | undefined }
  /** `gate` are fences that the statement carries itself. */
  | { readonly _tag: "Execute"; readonly statement: Statement; readonly gate?: ReadonlyArray<Fence> }
  | { readonly _tag: "Commit" }
  | { readonly _tag: "Rollback" }

export interface Request {
  readonly _tag: "Request"
  /** Counts the requests of the connection from 0. */
  readonly nth: number
  /** Of the transaction. */
  readonly label: string
  readonly commands: ReadonlyArray<Command>
}

/** Gives up a request that may still be running; travels on a connection of its own in Postgres, and past it here. */
export interface Cancel {
  readonly _tag: "Cancel"
  readonly nth: number
}

export type ToDatabase = Request | Cancel

export interface Reply {
  readonly _tag: "Reply"
  readonly nth: number
  /** Of the last statement, or of the one that failed. */
  readonly outcome: Outcome
  /** How COMMIT ended, when it was reached. */
  readonly commit: CommitOutcome | undefined
}

/** The database ends the session, and says why; what was not committed is rolled back. */
export interface Fatal {
  readonly _tag: "Fatal"
  readonly reason: Reason
}

/** Only to learn whether the other end is still there. */
export interface Probe {
  readonly _tag: "Probe"
}

export type ToClient = Reply | Fatal | Probe

/** Rough sizes, for the window of the connection. */
export const requestBytes = 200
export const cancelBytes = 16
export const messageBytes = (message: ToClient): number => {
  switch (message._tag) {
    case "Reply":
      return message.outcome._tag === "Answered" ? 50 + 150 * message.outcome.answer.rows.length : 100
    case "Fatal":
      return 100
    case "Probe":
      return 1
  }
}

/** What a request is about, in a word or two. */
export const describe = ({ commands }: Request): string =>
  commands
    .map((command) => {
      if (command._tag !== "Execute") return command._tag
      const { gate = [], statement } = command
      const guarded = gate.length === 0 ? "" : "Fence, "
      return statement._tag === "Fence" ? "Fence" : `${guarded}${statement._tag} ${statement.table}`
    })
    .join(", ")
