/**
 * What a request did and its entry in the audit are one commit; no entry is lost, changed or told twice on its way into the log, and the log is
 * one chain of hashes.
 */
import { type Entry, type Sealed, auditLog, auditPending, brokenAt, origin } from "../audit/Audit.ts"
import { idempotencyKeys } from "../idempotency/IdempotencyKey.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import type { Envelope } from "../facts/Envelope.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

type Head = Pick<Sealed, "seq" | "hash">

export const auditChained: Invariant<Head> = {
  name: "audit-chained",
  states: "What a request did is audited in the same commit, once, in one chain of hashes.",
  initial: () => origin,
  step: (head, envelope) => {
    const told = rowChanges(envelope, auditPending)
    const unaudited = unauditedIn(
      envelope,
      told.flatMap(({ after, before }) => (before === null && after !== null ? [after] : []))
    )
    if (unaudited !== undefined) return unaudited
    const sealed: Array<Sealed> = []
    for (const { key, after, before } of rowChanges(envelope, auditLog)) {
      if (before !== null || after === null)
        return new Violation(`entry ${key} of the audit was changed`, { before, after })
      sealed.push(after)
    }
    sealed.sort((left, right) => left.seq - right.seq)
    const gone = new Map(told.flatMap(({ key, after, before }) => (after === null ? [[key, before] as const] : [])))
    for (const { hash: _hash, previousHash: _previous, seq: _seq, ...entry } of sealed) {
      if (canonicalJson(gone.get(entry.id)) !== canonicalJson(entry)) {
        return new Violation(`entry ${entry.id} of the audit is not what waited to be sealed`, { entry })
      }
      gone.delete(entry.id)
    }
    if (gone.size > 0)
      return new Violation("entries of the audit were lost on their way into the log", { ids: [...gone.keys()] })
    const broken = brokenAt(sealed, head)
    if (broken !== undefined)
      return new Violation(`entry ${broken.seq} of the audit does not follow the one before`, { head, broken })
    return sealed.at(-1) ?? head
  }
}

function unauditedIn(envelope: Envelope, told: ReadonlyArray<Entry>): Violation | undefined {
  for (const { after, before } of rowChanges(envelope, idempotencyKeys)) {
    if (after?.state !== "finished" || before?.state === "finished") continue
    const entries = told.filter(({ requestId, status }) => requestId === after.key && status === after.status)
    if (entries.length !== 1) {
      return new Violation(`request ${after.key} was done with ${entries.length} entries in the audit`, {
        scope: after.scope
      })
    }
  }
  return undefined
}
