/**
 * What travels between a storage client and the database: statements one way, outcomes the other, one at a time on each
 * connection.
 */
import type { Fence, Statement } from "../../core/ports/Storage.ts"
import type { Begin, CommitOutcome, Outcome } from "./Session.ts"

export type Request =
  /** `begin` comes with the first statement of a transaction. */
  | { readonly _tag: "Execute"; readonly statement: Statement; readonly begin: Begin | undefined }
  /** A whole transaction of one statement. */
  | {
      readonly _tag: "Once"
      readonly label: string
      readonly fences: ReadonlyArray<Fence>
      readonly statement: Statement
    }
  | { readonly _tag: "Commit" }
  /** Not answered. */
  | { readonly _tag: "Rollback" }

export type Response =
  | { readonly _tag: "Outcome"; readonly outcome: Outcome }
  | { readonly _tag: "Ended"; readonly outcome: CommitOutcome }

/** What the request is called in a trace. */
export const nameOf = (request: Request): string => {
  switch (request._tag) {
    case "Execute":
      return `${request.begin === undefined ? "" : `begin ${request.begin.label}; `}${nameOfStatement(request.statement)}`
    case "Once":
      return `${request.label}: ${nameOfStatement(request.statement)}`
    case "Commit":
      return "commit"
    case "Rollback":
      return "rollback"
  }
}

function nameOfStatement(statement: Statement): string {
  return statement._tag === "Fence" ? "fence" : `${statement._tag.toLowerCase()} ${statement.table}`
}
