/**
 * One schedule on the model and on real Postgres, step by step: what each step shows must be the same on both.
 *
 * - L1 A step is over when every statement under way is answered or waits for somebody.
 * - L2 The server goes first, because it has choices that the model follows: in which order those go on who were set free at
 *   once, and where one overtakes another; which member of a cycle of waits its deadlock detector ends; that serializable may
 *   refuse more than it must (it remembers pages of indexes, and decides by them whom); and when the time limit of a step
 *   strikes. What it chose may show only turns later, so the model looks for one history of choices that explains all that was
 *   shown so far.
 * - L3 Rows are compared as sets: without `order by` there is no order.
 */
import {
  type Answer,
  Deadlock,
  type Fence,
  type Isolation,
  type Reason,
  type Statement,
  Timeout
} from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { SerializationFailure } from "../../core/ports/Storage.ts"
import { type Commit, Engine } from "./Engine.ts"
import type { ReadTracking } from "./Serializability.ts"
import type { Outcome, Session } from "./Session.ts"
import { blockers } from "./Locks.ts"
import type { Transaction } from "./Transaction.ts"

export type Move =
  | {
      readonly does: "execute"
      readonly statement: Statement
      /** Fences that the statement carries itself, as every one of `once` does. */
      readonly gate?: ReadonlyArray<Fence>
      readonly limit?: "lock" | "statement" | undefined
    }
  | { readonly does: "commit" | "rollback" }
  /** The statement that waits is cancelled, as a timeout of statements does. */
  | { readonly does: "cancel" }
  /** Says nothing in its transaction until the server ends the session. */
  | { readonly does: "falls silent" }
  /** The administrator ends the session. */
  | { readonly does: "is ended" }

/** A move by one of the sessions; it begins a transaction at this level when none is open. */
export interface Turn {
  readonly session: number
  readonly isolation: Isolation
  readonly move: Move
}

/** What a step showed: who was answered, and how; who waits, and for whom. */
export interface Observed {
  readonly replies: ReadonlyMap<number, string>
  readonly waits: ReadonlyMap<number, ReadonlySet<number>>
}

export interface Player {
  /** Sessions are numbered from 0. */
  readonly play: (turn: Turn) => Promise<Observed>
}

export const failed = (reason: Reason): string =>
  reason._tag === "UniqueViolation" || reason._tag === "CheckViolation"
    ? `${reason._tag} ${reason.constraint}`
    : reason._tag === "Timeout"
      ? `Timeout ${reason.limit}`
      : reason._tag

export const answered = ({ count, rows }: Answer): string =>
  `${count}: ${rows
    .map((row) => JSON.stringify(row))
    .toSorted()
    .join(" ")}`

/** The model, which finds out what the server chose. */
export class Model {
  readonly #setting: ModelSetting
  #run: ModelRun
  readonly #played: Array<Played> = []

  constructor(setting: ModelSetting) {
    this.#setting = setting
    this.#run = new ModelRun(setting)
  }

  /** How often the server's choices were followed. */
  get followed(): { readonly deadlocks: number; readonly refusals: number; readonly orders: number } {
    const sum = (count: (played: Played) => number) => this.#played.reduce((total, played) => total + count(played), 0)
    return {
      deadlocks: sum(({ followed }) => followed.deadlocks),
      refusals: sum(({ followed }) => followed.refusals),
      orders: sum(({ order }) => (order.length > 0 ? 1 : 0))
    }
  }

  /** Whether the move makes sense in the state that its session is in. */
  canPlay({ move, session }: Turn): boolean {
    const { state } = this.#run.sessions[session]!
    switch (move.does) {
      case "execute":
        return state !== "waiting"
      case "commit":
      case "rollback":
        return state === "in transaction" || state === "doomed"
      case "falls silent":
        return state === "in transaction"
      case "cancel":
        return state === "waiting"
      case "is ended":
        return state === "waiting" || state === "in transaction"
    }
  }

  /** Plays the turn. What differs from what the server showed, whatever choices of it are followed; or `undefined`. */
  play(turn: Turn, server: Observed): string | undefined {
    const followed = this.#run.follow(turn, server, firstChoices)
    this.#played.push({ turn, server, ...firstChoices, followed })
    if (agrees(this.#played.at(-1)!) || this.#explain()) return undefined
    return `model: ${describe(followed.observed)}\nserver: ${describe(server)}`
  }

  /**
   * Looks for choices that explain everything: one choice changed, at the turn that differs or at an earlier one (what the
   * server chose may show only later), then two, and so on.
   */
  #explain(): boolean {
    const tried = new Set<string>()
    const queue: Array<ReadonlyArray<Choices>> = [this.#played]
    for (let attempt = 0; attempt < Math.min(queue.length, attempts); attempt++) {
      const mismatch = this.#replay(queue[attempt]!)
      if (mismatch === undefined) return true
      for (let position = mismatch; position >= 0; position--) {
        for (const choices of otherChoices(this.#played[position]!)) {
          const next = this.#played.map((played, at) => (at === position ? choices : played))
          const name = JSON.stringify(next.map(({ isRefused, order }) => [order, isRefused]))
          if (tried.has(name)) continue
          tried.add(name)
          queue.push(next)
        }
      }
    }
    return false
  }

  /** Everything from the beginning with these choices. The first turn that differs, if one does. */
  #replay(choices: ReadonlyArray<Choices>): number | undefined {
    this.#run = new ModelRun(this.#setting)
    let mismatch: number | undefined
    for (const [position, { server, turn }] of this.#played.entries()) {
      const { isRefused, order } = choices[position]!
      const followed =
        mismatch === undefined
          ? this.#run.follow(turn, server, { order, isRefused })
          : { ...this.#played[position]!.followed, choices: [], isRefusedOnlyThere: false }
      this.#played[position] = { turn, server, order, isRefused, followed }
      if (mismatch === undefined && !agrees(this.#played[position])) mismatch = position
    }
    return mismatch
  }
}

/** So many histories are tried, before the two are said to disagree. */
const attempts = 3_000

const firstChoices: Choices = { order: [], isRefused: false }

/** The same as at this turn but for one of them: those after it as they come. */
function* otherChoices({ followed, isRefused }: Played): Generator<Choices, void, void> {
  // Refused on the server and not here: as if it had not begun, for it has read and written nothing there.
  if (followed.isRefusedOnlyThere && !isRefused) yield { order: [], isRefused: true }
  for (let index = followed.choices.length - 1; index >= 0; index--) {
    const { of, taken } = followed.choices[index]!
    const before = followed.choices.slice(0, index).map((choice) => choice.taken)
    for (let other = 0; other < of; other++) if (other !== taken) yield { order: [...before, other], isRefused }
  }
}

/** What the server chose, as far as it had a choice. */
interface Choices {
  /**
   * Who of several goes on first, whether it is refused at once, whether it gives way to the others before its next step, who
   * is ended first in a cycle of waits: a position for each time.
   */
  readonly order: ReadonlyArray<number>
  readonly isRefused: boolean
}

interface Played extends Choices {
  readonly turn: Turn
  readonly server: Observed
  readonly followed: Followed
}

const agrees = ({ followed, isRefused, server }: Played): boolean =>
  (isRefused || !followed.isRefusedOnlyThere) && isSame(followed.observed, server)

interface Followed {
  readonly observed: Observed
  readonly choices: ReadonlyArray<Choice>
  /** The session whose turn it was is refused on the server, and is not by the model. */
  readonly isRefusedOnlyThere: boolean
  /** How often the server's choice was followed: whom a deadlock ends, whom serializable refuses. */
  readonly deadlocks: number
  readonly refusals: number
}

export interface ModelSetting {
  readonly tables: ReadonlyArray<Table<unknown>>
  readonly sessions: number
  readonly readTracking: ReadTracking
  /** Committed before the schedule begins. */
  readonly given: ReadonlyArray<Statement>
}

/** A choice that was made, of so many. */
interface Choice {
  readonly taken: number
  readonly of: number
}

/** The model on its own, or following what a server showed. */
export class ModelRun implements Player {
  readonly #engine: Engine
  readonly sessions: Array<Session>
  readonly #isolation: Array<Isolation | undefined>
  #replies = new Map<number, string>()
  #server: Observed = { replies: new Map(), waits: new Map() }
  #order: ReadonlyArray<number> = []
  #choices: Array<Choice> = []
  #deadlocks = 0
  #refusals = 0
  readonly #commits: Array<Commit> = []

  constructor({ given, readTracking, sessions, tables }: ModelSetting) {
    this.#engine = new Engine({
      tables,
      clockMicros: () => 0,
      readTracking,
      onCommit: (commit) => this.#commits.push(commit),
      nextWoken: (woken) => this.#nextWoken(woken),
      givesWay: () => this.#choose(2) === 1
    })
    const setting = this.#engine.open()
    setting.begin({ label: "given", isolation: "read committed" })
    for (const statement of given) setting.execute(statement, () => undefined)
    setting.commit()
    setting.terminate()
    this.sessions = Array.from({ length: sessions }, () => this.#engine.open())
    this.#isolation = this.sessions.map(() => undefined)
  }

  /** How many commits there are: what was committed until now survives a failover that is given this number. */
  get committed(): number {
    return this.#commits.length
  }

  /** The server dies; the one that takes its place has heard of so many commits. */
  failOver(heard: number): void {
    this.#engine.restart()
    this.#engine.revert(this.#commits.slice(heard), "failover")
    for (const position of this.sessions.keys()) this.sessions[position] = this.#engine.open()
  }

  async play(turn: Turn): Promise<Observed> {
    return this.follow(turn, { replies: new Map(), waits: new Map() }, { order: [], isRefused: false }).observed
  }

  /** Plays the turn; `server` is what it showed there. */
  follow({ isolation, move, session: position }: Turn, server: Observed, { isRefused, order }: Choices): Followed {
    const session = this.sessions[position]!
    this.#replies = new Map()
    this.#server = server
    this.#order = order
    this.#choices = []
    this.#deadlocks = 0
    this.#refusals = 0
    const limit = move.does === "execute" ? move.limit : undefined
    const isTimedOut = limit !== undefined && server.replies.get(position) === failed(new Timeout({ limit }))
    switch (move.does) {
      case "execute": {
        if (session.state === "idle") {
          session.begin({ label: "schedule", isolation })
          this.#isolation[position] = isolation
        }
        if (isRefused) {
          session.cancel(new SerializationFailure())
          this.#replies.set(position, failed(new SerializationFailure()))
          break
        }
        // On a machine that stalls a limit may strike who waits for nobody.
        if (isTimedOut && this.#choose(2) === 1) {
          session.cancel(new Timeout({ limit }))
          this.#replies.set(position, failed(new Timeout({ limit })))
          break
        }
        const answer = (outcome: Outcome) =>
          this.#replies.set(
            position,
            outcome._tag === "Answered"
              ? answered(outcome.answer)
              : outcome._tag === "Failed"
                ? failed(outcome.reason)
                : `defect: ${outcome.defect.message}`
          )
        session.execute(move.statement, answer, move.gate)
        break
      }
      case "commit":
        if (isRefused) {
          session.rollback()
          this.#replies.set(position, "Refused")
        } else this.#replies.set(position, session.commit())
        break
      case "rollback":
        session.rollback()
        this.#replies.set(position, "RolledBack")
        break
      case "cancel":
        session.cancel(new Timeout({ limit: "statement" }))
        break
      case "falls silent":
      case "is ended":
        session.terminate()
        this.sessions[position] = this.#engine.open()
        this.#replies.set(position, "ended")
        break
    }
    // A time limit and a deadlock may strike together: whoever is set free by the one has run into the other.
    if (isTimedOut) this.#engine.enter()
    this.#followDeadlocks(server)
    const isRefusedOnlyThere =
      this.#isRefused(position, server) && this.#replies.get(position) !== server.replies.get(position)
    this.#followRefusals(server)
    if (limit !== undefined && session.state === "waiting") session.cancel(new Timeout({ limit }))
    if (isTimedOut) this.#engine.leave()
    return {
      observed: { replies: this.#replies, waits: this.#waits() },
      choices: this.#choices,
      isRefusedOnlyThere,
      deadlocks: this.#deadlocks,
      refusals: this.#refusals + (isRefused ? 1 : 0)
    }
  }

  #isRefused(position: number, { replies }: Observed): boolean {
    return (
      this.#isolation[position] === "serializable" &&
      /^(Refused|SerializationFailure)$/.test(replies.get(position) ?? "")
    )
  }

  /** Who is refused on the server may be refused before those who are set free with it go on. */
  #nextWoken(woken: ReadonlyArray<Session>): number {
    const next = this.#choose(woken.length)
    const session = woken[next]!
    if (this.#isRefused(this.sessions.indexOf(session), this.#server) && this.#choose(2) === 1) {
      this.#refusals++
      session.cancel(new SerializationFailure())
    }
    return next
  }

  #choose(of: number): number {
    if (of < 2) return 0
    const taken = Math.min(this.#order[this.#choices.length] ?? 0, of - 1)
    this.#choices.push({ taken, of })
    return taken
  }

  #followDeadlocks(server: Observed): void {
    const victims = this.sessions.flatMap((session, position) =>
      server.replies.get(position) === failed(new Deadlock()) ? [session] : []
    )
    while (victims.length > 0) {
      const [victim] = victims.splice(this.#choose(victims.length), 1)
      if (victim!.state === "waiting" && this.#engine.checkDeadlock(victim!)) this.#deadlocks++
    }
  }

  /** Serializable transactions that are refused on the server fail here too. */
  #followRefusals(server: Observed): void {
    for (const [position, session] of this.sessions.entries()) {
      const reply = server.replies.get(position)
      if (this.#isRefused(position, server) && this.#replies.get(position) !== reply && session.state !== "idle") {
        this.#refusals++
        session.cancel(new SerializationFailure())
        this.#replies.set(position, failed(new SerializationFailure()))
      }
    }
  }

  #waits(): ReadonlyMap<number, ReadonlySet<number>> {
    const positionOf = (transaction: Transaction) =>
      this.sessions.findIndex((session) => session.transaction === transaction)
    return new Map(
      this.sessions.flatMap(({ wait }, position) =>
        wait === undefined ? [] : [[position, new Set(blockers(wait).map(positionOf))] as const]
      )
    )
  }
}

export const describe = ({ replies, waits }: Observed): string =>
  [
    ...[...replies].toSorted(([left], [right]) => left - right).map(([session, reply]) => `${session} gets ${reply}`),
    ...[...waits]
      .toSorted(([left], [right]) => left - right)
      .map(([session, whom]) => `${session} waits for ${[...whom].toSorted().join(", ")}`)
  ].join("; ")

/** Of those whom a wait is for, the server may name fewer: a row held by several is awaited holder by holder. */
const isSame = (model: Observed, server: Observed): boolean =>
  model.replies.size === server.replies.size &&
  model.waits.size === server.waits.size &&
  [...model.replies].every(([session, reply]) => server.replies.get(session) === reply) &&
  [...model.waits].every(([session, whom]) => server.waits.get(session)?.isSubsetOf(whom) === true)
