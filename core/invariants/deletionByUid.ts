/**
 * I17, checkers 5.5.5: a deletion acts on the uid that was asked for. Without a fence only the uid named by a client
 * may go, however its bearer's name is used by now.
 */
import type { DeletionAsked } from "../api/ApiFacts.ts"
import { instances } from "../instance/Instance.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

export const deletionByUid: Invariant<Set<string>> = {
  name: "deletion-by-uid",
  states: "A deletion acts on the uid that was asked for (I17).",
  initial: () => new Set(),
  step: (asked, envelope) => {
    if (envelope.fact._tag === "DeletionAsked") return asked.add((envelope.fact as DeletionAsked).uid)
    const commit = commitOf(envelope)
    if (commit === undefined || commit.fences.length > 0) return asked
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      if (before?.deletionRequestedAt !== null || after === null || after.deletionRequestedAt === null) continue
      if (asked.has(key)) continue
      return new Violation(`the end of instance ${key} was asked for by nobody`, {
        uid: key,
        name: after.name,
        label: commit.label
      })
    }
    return asked
  }
}
