/**
 * The storage model with a clock that stands still until it is set: what single statements do, to the microsecond. For tests of
 * statements, of which those of core are data.
 */
import * as Effect from "effect/Effect"
import {
  type Answer,
  type Statement,
  type Storage,
  StorageError,
  type Transaction,
  makeTransaction
} from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { Engine } from "./Engine.ts"
import type { Outcome } from "./Session.ts"

export class StillDatabase {
  nowMicros = 1_000_000_000_000
  readonly #engine: Engine
  /** Each call is a transaction of its own. */
  readonly calls: Transaction = makeTransaction((statement) => Effect.suspend(() => this.#execute(statement)))
  readonly once: Storage["Service"]["once"] = (call) => call(this.calls)

  /** Of tables, whatever their rows. */
  constructor(...tables: ReadonlyArray<object>) {
    this.#engine = new Engine({
      tables: tables as ReadonlyArray<Table<unknown>>,
      clockMicros: () => this.nowMicros
    })
  }

  /** Every row of the table, in the order of its keys. */
  rows<R>(table: Table<R>): ReadonlyArray<R> {
    return this.ask(this.calls.select(table, { orderBy: table.primaryKey as never }))
  }

  given<R>(table: Table<R>, rows: ReadonlyArray<R>): this {
    this.ask(this.calls.insert(table, rows as never))
    return this
  }

  /** The name of the constraint that these rows break; undefined when they may be. */
  refusal<R>(table: Table<R>, rows: ReadonlyArray<R>): string | undefined {
    return this.ask(
      this.calls.insert(table, rows as never).pipe(
        Effect.as(undefined),
        Effect.catchTag("StorageError", ({ reason }) =>
          "constraint" in reason ? Effect.succeed(reason.constraint) : Effect.die(reason)
        )
      )
    )
  }

  ask<A>(program: Effect.Effect<A, StorageError>): A {
    return Effect.runSync(program)
  }

  #execute(statement: Statement): Effect.Effect<Answer, StorageError> {
    const session = this.#engine.open()
    session.begin({ label: "still", isolation: "read committed" })
    let outcome: Outcome | undefined
    session.execute(statement, (answered) => {
      outcome = answered
    })
    session.commit()
    session.terminate()
    if (outcome?._tag === "Answered") return Effect.succeed(outcome.answer)
    if (outcome?._tag === "Failed") return Effect.fail(new StorageError({ label: "still", reason: outcome.reason }))
    return Effect.die(outcome?.defect ?? new Error("nobody else is there to wait for"))
  }
}
