/**
 * Conversations with the storage model, for tests: sessions speak in turn, replies read as short text and may come late.
 *
 * A reply is "waits" until the statement is answered; then its rows ("1:10 2:20", "-" for none), the name of the
 * failure's reason, or "defect: …".
 */
import * as Effect from "effect/Effect"
import { type Isolation, type Statement, type Transaction, makeTransaction } from "../../core/ports/Storage.ts"
import { ge } from "../../core/ports/Condition.ts"
import { type Table, integer, make, text } from "../../core/ports/Table.ts"
import { type Commit, Engine, type EngineOptions } from "./Engine.ts"
import type { Begin, CommitOutcome, Outcome, Session } from "./Session.ts"

/** The table of the classic anomalies, with a second unique column. */
export const accounts = make("accounts", {
  columns: { id: integer, name: text, value: integer },
  primaryKey: ["id"],
  unique: [["name"]],
  checks: { value_is_not_negative: (row) => ge(row.value, 0) }
})

export class Dialogue {
  readonly engine: Engine
  readonly commits: Array<Commit> = []
  nowMicros = 1_000_000

  constructor(options: Partial<EngineOptions> & { readonly tables: ReadonlyArray<Table<unknown>> }) {
    this.engine = new Engine({
      clockMicros: () => this.nowMicros,
      onCommit: (commit) => this.commits.push(commit),
      ...options
    })
  }

  speaker(): Speaker {
    return new Speaker(this.engine.open())
  }

  /** Commits these rows before the story begins. */
  given(call: (transaction: Transaction) => Effect.Effect<unknown, unknown>): this {
    const speaker = this.speaker()
    speaker.begin("read committed")
    const reply = speaker.say(call)
    if (speaker.commit() !== "Committed") throw new Error(`the story cannot begin: ${reply.text}`)
    this.commits.length = 0
    return this
  }
}

/** Accounts 1 and 2 hold 10 and 20, as in Hermitage. */
export const withAccounts = (options: Partial<EngineOptions> = {}): Dialogue =>
  new Dialogue({ tables: [accounts], ...options }).given((transaction) =>
    transaction.insert(accounts, [
      { id: 1, name: "one", value: 10 },
      { id: 2, name: "two", value: 20 }
    ])
  )

export class Reply {
  outcome: Outcome | undefined

  get text(): string {
    const { outcome } = this
    if (outcome === undefined) return "waits"
    if (outcome._tag === "Failed") return outcome.reason._tag
    if (outcome._tag === "Defect") return `defect: ${outcome.defect.message}`
    const { rows, count } = outcome.answer
    if (rows.length === 0) return count === 0 ? "-" : String(count)
    return rows.map((row) => `${row["id"] ?? row["key"]}:${"value" in row ? row["value"] : row["epoch"]}`).join(" ")
  }
}

export class Speaker {
  readonly session: Session

  constructor(session: Session) {
    this.session = session
  }

  begin(isolation: Isolation, options: Partial<Begin> = {}): this {
    this.session.begin({ label: "test", isolation, ...options })
    return this
  }

  say(call: (transaction: Transaction) => Effect.Effect<unknown, unknown>): Reply {
    return this.send(statementOf(call))
  }

  send(statement: Statement): Reply {
    const reply = new Reply()
    this.session.execute(statement, (outcome) => {
      if (reply.outcome !== undefined) throw new Error("answered twice")
      reply.outcome = outcome
    })
    return reply
  }

  fence(lease: string, epoch: number): Reply {
    return this.send({ _tag: "Fence", fences: [{ lease, epoch }] })
  }

  commit(): CommitOutcome {
    return this.session.commit()
  }

  rollback(): void {
    this.session.rollback()
  }
}

/** The statement that a call of the port makes. */
export const statementOf = (call: (transaction: Transaction) => Effect.Effect<unknown, unknown>): Statement => {
  const made: Array<Statement> = []
  const transaction = makeTransaction((statement) => {
    made.push(statement)
    return Effect.succeed({ rows: [], count: 0 })
  })
  Effect.runSync(Effect.orDie(call(transaction)))
  const [statement] = made
  if (statement === undefined || made.length > 1) throw new Error(`one call is one statement, not ${made.length}`)
  return statement
}
