/**
 * What is committed in the database of a program with SQL of its own, as queries of the scenario see it (`SqlSetting.observe`), and what is
 * to hold of every such state.
 */
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"

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

/** After every commit, whoever made it. */
export const whenCommitted = <R extends Row>({ judge, name, of, states }: CommittedRule<R>): Invariant<undefined> => ({
  name,
  states,
  initial: () => undefined,
  step: (_, { fact }) => {
    if (!isObserved(fact) || fact.of !== of) return undefined
    const wrong = judge(fact.rows as ReadonlyArray<R>)
    return wrong === undefined ? undefined : new Violation(wrong, { of, rows: fact.rows })
  }
})

const isObserved = (fact: { readonly _tag: string }): fact is Observed => fact._tag === "Observed"
