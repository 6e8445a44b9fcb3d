/**
 * One session of the storage model: a connection's worth of state, from begin to commit or rollback.
 *
 * A statement answers at once or later, through the callback given with it; a session has at most one under way. Any failure
 * rolls its transaction back at once and frees its locks; until the session ends the transaction, statements fail `Aborted`.
 * Absent on purpose: timeouts. Whoever owns the session calls `cancel` or `terminate` when one runs out.
 */
import {
  Aborted,
  type Answer,
  CheckViolation,
  type Fence,
  Fenced,
  type Isolation,
  type Reason,
  SerializationFailure,
  type Statement,
  UniqueViolation
} from "../../core/ports/Storage.ts"
import { StatementDefect } from "../../core/storage/StatementDefect.ts"
import { type Execution, execute } from "./Execute.ts"
import type { Transaction, Wait } from "./Transaction.ts"

export type Outcome =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  | { readonly _tag: "Failed"; readonly reason: Reason }
  /** No database would accept the statement: a defect of the caller. */
  | { readonly _tag: "Defect"; readonly defect: StatementDefect }

/** `RolledBack` is how COMMIT ends a doomed transaction; `Refused` how it ends one that cannot be serialized. */
export type CommitOutcome = "Committed" | "RolledBack" | "Refused"

/** What begins a transaction. */
export interface Begin {
  readonly label: string
  readonly isolation: Isolation
  /** The only one whose rows it may see and write; all may be where it is undefined. */
  readonly project?: string | undefined
}

/** What a session needs of the database that it belongs to. */
export interface SessionHost {
  readonly beginTransaction: (session: Session, options: Begin) => Transaction
  /** Throws `StatementDefect`. */
  readonly check: (statement: Statement, gate: ReadonlyArray<Fence>, project: string | undefined) => void
  readonly executionOf: (transaction: Transaction) => Execution
  readonly takeSnapshot: (transaction: Transaction) => void
  readonly releaseSnapshot: (transaction: Transaction) => void
  readonly beginWait: (session: Session, wait: Wait) => void
  readonly endWait: (session: Session, wait: Wait) => void
  /** Others who are free to go on go first. */
  readonly postpone: (session: Session) => void
  /** False when it was rolled back instead, for it cannot be serialized. */
  readonly commitTransaction: (transaction: Transaction) => boolean
  readonly rollbackTransaction: (transaction: Transaction) => void
  readonly forget: (session: Session) => void
  /** Bracket every call from outside, so that those who waited go on only when the call has done its work. */
  readonly enter: () => void
  readonly leave: () => void
}

export type SessionState = "idle" | "in transaction" | "waiting" | "doomed" | "closed"

type Steps = Generator<Wait | undefined, Answer, void>
type Running = { readonly steps: Steps; readonly answer: (outcome: Outcome) => void }

export class Session {
  readonly id: number
  readonly #host: SessionHost
  #transaction: Transaction | undefined
  #isDoomed = false
  #isClosed = false
  #running: Running | undefined
  #wait: Wait | undefined

  constructor(host: SessionHost, id: number) {
    this.#host = host
    this.id = id
  }

  get state(): SessionState {
    if (this.#isClosed) return "closed"
    if (this.#isDoomed) return "doomed"
    if (this.#running !== undefined) return "waiting"
    return this.#transaction === undefined ? "idle" : "in transaction"
  }

  /** The open transaction; `undefined` also when it is doomed, for then it has been rolled back already. */
  get transaction(): Transaction | undefined {
    return this.#transaction
  }

  /** What the running statement waits for. */
  get wait(): Wait | undefined {
    return this.#wait
  }

  begin(options: Begin): Transaction {
    this.#require("idle")
    this.#transaction = this.#host.beginTransaction(this, options)
    return this.#transaction
  }

  /** Runs a statement, behind the fences of its `gate`; `answer` is called once, perhaps before this returns, and never after `terminate`. */
  execute(statement: Statement, answer: (outcome: Outcome) => void, gate: ReadonlyArray<Fence> = []): void {
    if (this.#isDoomed) return answer({ _tag: "Failed", reason: new Aborted() })
    this.#require("in transaction")
    const host = this.#host
    const transaction = this.#transaction!
    host.enter()
    transaction.command++
    host.takeSnapshot(transaction)
    let started: Answer | Steps
    try {
      host.check(statement, gate, transaction.project)
      started = execute(host.executionOf(transaction), statement, gate)
    } catch (failure) {
      this.#fail(failure, answer)
      return host.leave()
    }
    if ("next" in started) this.#advance(started, answer)
    else this.#succeed(started, answer)
    host.leave()
  }

  /** The waiting statement looks again. The engine calls it when something it waited for has ended. */
  resume(): void {
    const running = this.#running
    if (running !== undefined) this.#advance(running.steps, running.answer)
  }

  commit(): CommitOutcome {
    if (this.#isDoomed) {
      this.#isDoomed = false
      return "RolledBack"
    }
    this.#require("in transaction")
    const transaction = this.#transaction!
    this.#transaction = undefined
    this.#host.enter()
    const isCommitted = this.#host.commitTransaction(transaction)
    this.#host.leave()
    return isCommitted ? "Committed" : "Refused"
  }

  /** Ends the transaction, doomed or not; without one it does nothing. A waiting statement is given up unanswered. */
  rollback(): void {
    this.#isDoomed = false
    this.#host.enter()
    this.#abandon()
    this.#host.leave()
  }

  /** Fails the running statement, or the transaction where none is running, with this reason. */
  cancel(reason: Reason): void {
    if (this.#transaction === undefined) return
    const running = this.#running
    this.#host.enter()
    this.#isDoomed = true
    this.#abandon()
    running?.answer({ _tag: "Failed", reason })
    this.#host.leave()
  }

  /** The connection is gone: everything is rolled back and nothing more is answered. */
  terminate(): void {
    if (this.#isClosed) return
    this.#host.enter()
    this.#isClosed = true
    this.#abandon()
    this.#host.forget(this)
    this.#host.leave()
  }

  #advance(steps: Steps, answer: (outcome: Outcome) => void): void {
    const before = this.#wait
    let next: IteratorResult<Wait | undefined, Answer>
    try {
      next = steps.next()
    } catch (failure) {
      return this.#fail(failure, answer)
    }
    if (next.done === true) {
      this.#running = undefined
      this.#wait = undefined
      if (before !== undefined) this.#host.endWait(this, before)
      return this.#succeed(next.value, answer)
    }
    if (next.value === undefined) {
      this.#wait = undefined
      if (before !== undefined) this.#host.endWait(this, before)
      return this.#host.postpone(this)
    }
    if (next.value === before) return
    this.#running = { steps, answer }
    this.#wait = next.value
    if (before !== undefined) this.#host.endWait(this, before)
    this.#host.beginWait(this, next.value)
  }

  #succeed(result: Answer, answer: (outcome: Outcome) => void): void {
    this.#host.releaseSnapshot(this.#transaction!)
    answer({ _tag: "Answered", answer: result })
  }

  #fail(failure: unknown, answer: (outcome: Outcome) => void): void {
    this.#isDoomed = true
    this.#abandon()
    if (isReason(failure)) answer({ _tag: "Failed", reason: failure })
    else if (failure instanceof StatementDefect) answer({ _tag: "Defect", defect: failure })
    else throw failure
  }

  #abandon(): void {
    const running = this.#running
    const transaction = this.#transaction
    this.#running = undefined
    this.#transaction = undefined
    this.#wait = undefined
    running?.steps.return(noAnswer)
    if (transaction !== undefined) this.#host.rollbackTransaction(transaction)
  }

  #require(state: SessionState): void {
    if (this.state !== state) throw new Error(`session ${this.id} is ${this.state}, it should be ${state}`)
  }
}

const noAnswer: Answer = { rows: [], count: 0 }

/** The reasons that statements themselves fail with. */
function isReason(failure: unknown): failure is Reason {
  return (
    failure instanceof UniqueViolation ||
    failure instanceof CheckViolation ||
    failure instanceof SerializationFailure ||
    failure instanceof Fenced
  )
}
