/** The kinds of object whose histories can be judged by name. */
import { decode, type Dialect } from "./Dialect.ts"
import { explainUnplaced } from "./explainUnplaced.ts"
import { guardModel } from "./guardModel.ts"
import type { Exchange } from "./HistoryRecord.ts"
import { type Options, type Progress, Search } from "./Linearizability.ts"
import type { Model, Operation } from "./Model.ts"
import * as Counter from "./models/Counter.ts"
import * as ElementSet from "./models/ElementSet.ts"
import { keyed } from "./models/Keyed.ts"
import * as Lock from "./models/Lock.ts"
import * as Once from "./models/Once.ts"
import * as Queue from "./models/Queue.ts"
import * as Register from "./models/Register.ts"
import * as VersionedRegister from "./models/VersionedRegister.ts"

export type Judgement =
  | { readonly _tag: "Linearizable" }
  | {
      readonly _tag: "NotLinearizable"
      /** "" where there is only one object. */
      readonly key: string
      /** Those of the key that an order explains, of so many. */
      readonly explained: number
      readonly operations: number
      /** The lines of the answer that no order explains. */
      readonly where: string
      readonly explanation: ReadonlyArray<string>
    }
  | { readonly _tag: "Unknown"; readonly reason: string }

/** A search that is under way. */
export interface Judging {
  readonly operations: number
  readonly advance: (steps: number) => Judgement | undefined
  readonly progress: () => Progress
}

export interface Checkable {
  readonly name: string
  readonly describes: string
  /** Name to what its value is. */
  readonly operations: Readonly<Record<string, string>>
  /** Throws `Unreadable`; `ModelThrew`, as does `advance`, where a function of the model throws. */
  readonly begin: (exchanges: ReadonlyArray<Exchange>, options: Options) => Judging
}

/** Objects of this model under as many keys as the history has. `whole` judges all of them as one. */
export const toCheckable = <State, Input, Output>(
  name: string,
  describes: string,
  each: Model<State, Input, Output>,
  dialect: Dialect<Input, Output>
): Checkable => ({
  name,
  describes,
  operations: dialect.operations,
  begin: (exchanges, options) => {
    const operations = decode(dialect, exchanges)
    // Equal operations of a model that makes one value of them cannot be told apart: then no lines are named.
    const linesOf = (input: Input, output: Output | undefined): string | undefined => {
      const same = operations.filter((one) => one.input.input === input && one.output === output)
      return same.length === 1 ? same[0]?.where : undefined
    }
    const model = keyed(guardModel(each, linesOf))
    const search = new Search(model, operations, options)
    return {
      operations: operations.length,
      progress: () => search.progress,
      advance: (steps) => {
        const verdict = search.advance(steps)
        if (verdict?._tag !== "NotLinearizable") return verdict
        const { order, part, partOperations, unplaced } = verdict
        return {
          _tag: "NotLinearizable",
          key: part,
          explained: order.length,
          operations: partOperations,
          where: whereOf(unplaced),
          explanation: explainUnplaced(model, verdict)
        }
      }
    }
  }
})

export const checkables: ReadonlyArray<Checkable> = [
  toCheckable("register", "one value, null at first", Register.register({ initial: null }), Register.dialect),
  toCheckable(
    "cas-register",
    "one value, null at first, with compare-and-set",
    Register.register({ initial: null }),
    Register.casDialect
  ),
  toCheckable(
    "map",
    "values under keys, null where there is none",
    Register.register({ initial: null }),
    Register.cellDialect
  ),
  toCheckable(
    "kv",
    'texts under keys, "" where there is none',
    Register.register({ initial: "" }),
    Register.textCellDialect
  ),
  toCheckable("lock", "a lock that expires, with fencing tokens", Lock.lock, Lock.dialect),
  toCheckable("counter", "a number that is added to", Counter.counter, Counter.dialect),
  toCheckable("set", "elements that come and go", ElementSet.elementSet, ElementSet.dialect),
  toCheckable("queue", "first in, first out", Queue.queue, Queue.dialect),
  toCheckable(
    "versioned-register",
    "one value, and how often it has changed",
    VersionedRegister.versionedRegister,
    VersionedRegister.dialect
  ),
  toCheckable("once", "requests of which one is carried out (an idempotency key)", Once.once, Once.dialect)
]

function whereOf<Input, Output>({ process, where }: Operation<Input, Output>): string {
  return where ?? `process ${process}`
}
