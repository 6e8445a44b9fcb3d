/** Rules of what is committed, over what queries are told to answer. */
import { assert, describe, it } from "vitest"
import { Violation } from "../../core/invariants/Invariant.ts"
import type { Envelope } from "../../core/facts/Envelope.ts"
import { type Observed, whenCommitted } from "./Observed.ts"

const told = (of: string, ...balances: ReadonlyArray<number>): Envelope => {
  const fact: Observed = { _tag: "Observed", of, rows: balances.map((balance) => ({ balance })) }
  return { id: 0, node: "database", atMicros: 0, fact } as unknown as Envelope
}

const judged = (of: string, facts: ReadonlyArray<Envelope>) => {
  const judge = whenCommitted<{ balance: number }>({
    name: "no-debts",
    states: "Nobody owes anything.",
    of,
    judge: (rows) => (rows.some(({ balance }) => balance < 0) ? "somebody owes" : undefined)
  }).start()
  const violation = facts.map((fact) => judge.step(fact)).find((found) => found instanceof Violation)
  return { violation: violation?.message, end: judge.end?.() }
}

describe("a rule of what is committed", () => {
  const facts = [told("accounts", 1, 2), told("orders", -1), told("accounts", 3)]

  it("judges every answer of its own query", () => {
    assert.deepStrictEqual(judged("accounts", facts), {
      violation: undefined,
      end: { violation: undefined, judged: 2, decided: 2 }
    })
    assert.strictEqual(judged("orders", facts).violation, "somebody owes")
  })

  it("is violated in the end when nobody observes its query", () => {
    assert.include(
      judged("acounts", facts).end?.violation?.message,
      'no query is called "acounts" in "observe", which has accounts, orders'
    )
    assert.include(judged("acounts", []).end?.violation?.message, "which has none")
  })
})
