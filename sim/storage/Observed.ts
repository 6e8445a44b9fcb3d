/**
 * What is committed in the database of a program with SQL of its own, as queries of the scenario see it (`SqlSetting.observe`), and what is
 * to hold of every such state.
 */
import { type Check, type Invariant, Violation } from "../../core/invariants/Invariant.ts"

export type Row = Readonly<Record<string, unknown>>

/** A query answers otherwise than before. */
export interface Observed {
  readonly _tag: "Observed"
  /** The name of the query. */
  readonly of: string
  readonly rows: ReadonlyArray<Row>
}

export interface CommittedRule<R extends Row> extends Pick<Invariant<unknown>, "name" | "states"> {
  /** The name of a query. */
  readonly of: string
  /** What is wrong with its answer, in a line. */
  readonly judge: (rows: ReadonlyArray<R>) => string | undefined
}

/** After every commit, whoever made it. A query that nobody observes is no rule: that violates it too. */
export const whenCommitted = <R extends Row>({ judge, name, of, states }: CommittedRule<R>): Check => ({
  name,
  states,
  start: () => {
    const observed = new Set<string>()
    let judged = 0
    return {
      step: ({ fact }) => {
        if (!isObserved(fact)) return undefined
        observed.add(fact.of)
        if (fact.of !== of) return undefined
        judged++
        const wrong = judge(fact.rows as ReadonlyArray<R>)
        return wrong === undefined ? undefined : new Violation(wrong, { of, rows: fact.rows })
      },
      end: () => ({
        violation: judged > 0 ? undefined : unobserved(of, [...observed].toSorted()),
        judged,
        decided: judged
      })
    }
  }
})

const unobserved = (of: string, observed: ReadonlyArray<string>) =>
  new Violation(
    `nothing was judged: no query is called "${of}" in "observe", which has ${observed.join(", ") || "none"}`,
    {
      of,
      observed
    }
  )

const isObserved = (fact: { readonly _tag: string }): fact is Observed => fact._tag === "Observed"
