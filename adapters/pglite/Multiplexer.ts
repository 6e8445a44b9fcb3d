/**
 * Several connections on the one session that PGlite has. Whatever talks the Postgres protocol may be at the other end:
 * the production driver through a stream in the process, or through simulated links.
 *
 * - M1 The session belongs to one connection from the first statement of a transaction to its end. The others wait in order of
 *   arrival, no longer than their own lock and statement timeouts, which then end the statement as Postgres would.
 * - M2 A connection that goes away inside a transaction is rolled back; so is one that is silent for longer than its
 *   idle-in-transaction limit, and it is told why.
 * - M3 Prepared statements and settings belong to their connection. Notifications go to those who listen.
 * - M4 Nothing here waits: an answer is there when the call returns, or comes from a timer of the host.
 *
 * - M5 A failure of PGlite itself ends every connection with a word and is told to the host once, whoever met it: a client, a
 *   timer, or somebody who left.
 *
 * Absent on purpose: deadlocks and waits for single rows (one open transaction owns the database), a timeout that ends a
 * statement while it runs (nobody else runs then), and COPY from the client, which is refused. Shared by all: PREPARE as SQL,
 * temporary tables, cursors WITH HOLD, and advisory locks of sessions.
 */
import {
  type Problem,
  type Status,
  channelOf,
  errorResponse,
  fieldsOf,
  notEncrypted,
  readyForQuery,
  statusOf,
  tagOf,
  textsOf,
  welcome
} from "./Backend.ts"
import { BadFrame, type Frame, Frames, concat, framesOf } from "./Frames.ts"
import * as Frontend from "./Frontend.ts"

/** The other end of a connection. */
export interface Peer {
  readonly send: (bytes: Uint8Array) => void
  /** In order, after what was sent. */
  readonly end: () => void
}

/** What the multiplexer needs of whoever runs it. */
export interface Host {
  /** Gives messages to PGlite and takes its answer. Throws when PGlite is beyond repair. */
  readonly execute: (messages: Uint8Array) => Uint8Array
  /** Told what `execute` threw, after every connection was ended. */
  readonly failed: (error: unknown) => void
  /** Runs after so many milliseconds, unless the function returned is called. */
  readonly after: (millis: number, run: () => void) => () => void
  /** 32 bits that nobody can guess: what entitles to cancel. */
  readonly secret: () => number
  /** Asked about each turn before it may run; `go` lets it, now or later, as it is or with other messages in its place. */
  readonly admit?: (turn: Turn, go: (instead?: Uint8Array) => void) => void
  /** Told what a turn did, before its answer is sent; false keeps the answer back. */
  readonly ran?: (turn: Turn, done: Done) => boolean
}

/** What a connection sent up to the point at which it waits for an answer. */
export interface Turn {
  readonly session: Session
  /** Counts the turns of the connection from 0. */
  readonly nth: number
  /** The SQL that it runs. */
  readonly texts: ReadonlyArray<string>
}

export interface Done {
  /** Of the statements that completed: "UPDATE 1". */
  readonly tags: ReadonlyArray<string>
  /** The state of the session before and after. */
  readonly before: Status
  readonly after: Status
  readonly problem: Problem | undefined
}

/** The longest waits that a connection asked for, in milliseconds; 0 is for ever, as in Postgres. */
export interface Limits {
  readonly statement_timeout: number
  readonly lock_timeout: number
  readonly idle_in_transaction_session_timeout: number
}

const sessionsMax = 100

const noLimits: Limits = { statement_timeout: 0, lock_timeout: 0, idle_in_transaction_session_timeout: 0 }

/** Limits that PGlite must not know: it would enforce them by timers of its own, against whoever has the session then. */
const limitNames: ReadonlyArray<string> = [...Object.keys(noLimits), "idle_session_timeout", "transaction_timeout"]

/** What a startup says that is no setting of the session. */
const notSettings: ReadonlyArray<string> = ["user", "database", "replication", "client_encoding", "options"]

/** The user that PGlite runs as. */
export const superuser = "postgres"

const reported: ReadonlyArray<string> = [
  "server_version",
  "server_encoding",
  "client_encoding",
  "DateStyle",
  "IntervalStyle",
  "TimeZone",
  "integer_datetimes",
  "standard_conforming_strings"
]

interface Waiting extends Turn {
  readonly frames: ReadonlyArray<Frame>
  /** Runs in the place of the frames. */
  instead: Uint8Array | undefined
  isAdmitted: boolean
  stopTimer: (() => void) | undefined
}

type Settings = ReadonlyMap<string, string>
const none: Settings = new Map()

export class Multiplexer {
  readonly host: Host
  readonly #sessions = new Map<number, Session>()
  readonly #parameters: Readonly<Record<string, string>>
  /** Whose transaction is open. */
  #owner: Session | undefined
  /** Connections whose next turn may run, in order of arrival. */
  readonly #queue: Array<Session> = []
  #isPumping = false
  #ids = 0
  /** The settings in force. */
  #applied: Settings = none
  /** Whose unnamed statement PGlite knows. */
  #unnamedBy: Session | undefined
  #broken: Problem | undefined

  constructor(host: Host) {
    this.host = host
    const { rows } = this.ask(
      `select name, setting from pg_settings where name in (${reported.map(literal).join(", ")})`
    )
    this.#parameters = Object.fromEntries(rows as ReadonlyArray<[string, string]>)
  }

  /** Runs what comes from outside; nothing escapes but what the host itself throws when it is told of a failure. */
  guard(body: () => void): void {
    try {
      body()
    } catch (error) {
      this.#break(error)
    }
  }

  /** A new connection; what its client sends goes to `receive`, and its end to `left`. */
  connect(peer: Peer): Session {
    return new Session(this, peer, ++this.#ids)
  }

  get sessions(): Iterable<Session> {
    return this.#sessions.values()
  }

  /** Runs SQL of the multiplexer's own; only while no transaction is open. Throws what PGlite reports. */
  ask(text: string): { readonly rows: ReadonlyArray<ReadonlyArray<string | null>> } {
    this.#unnamedBy = undefined
    const frames = this.#execute(Frontend.query(text))
    const error = frames.find(({ type }) => type === "E")
    if (error !== undefined) throw new Refused(problemOf(error))
    return { rows: frames.filter(({ type }) => type === "D").map(textsOf) }
  }

  /** Ends every connection with this word. */
  shutDown(problem: Problem): void {
    for (const session of Array.from(this.#sessions.values())) session.fatal(problem)
  }

  // ------------------------------------------------------------------------------------------------ for sessions

  welcome(session: Session, parameters: Readonly<Record<string, string>>): void {
    if (this.#broken !== undefined) return session.fatal(this.#broken)
    if (this.#sessions.size >= sessionsMax) {
      return session.fatal({ code: "53300", message: "sorry, too many clients already" })
    }
    session.configure(parameters)
    // Inside another's transaction its settings can only be tried later, at its first turn.
    const refusal = this.#owner === undefined ? this.#apply(session.settings) : undefined
    if (refusal !== undefined) return session.fatal(refusal)
    this.#sessions.set(session.id, session)
    session.begin({ processId: session.id, secret: this.host.secret(), parameters: this.#parameters })
  }

  cancel(processId: number, secret: number): void {
    const session = this.#sessions.get(processId)
    if (session?.secret === secret) this.#giveUp(session, canceled("user request"))
  }

  /** The session has a turn, or another one. */
  offer(session: Session): void {
    const turn = session.turns[0]
    if (turn === undefined || turn.isAdmitted || session.isAsking) return
    session.isAsking = true
    const go = (instead?: Uint8Array): void => {
      session.isAsking = false
      if (session.turns[0] !== turn) return
      turn.isAdmitted = true
      turn.instead = instead
      this.#queue.push(session)
      this.#watchQueue()
      this.guard(() => this.#pump())
    }
    if (this.host.admit === undefined) go()
    else this.host.admit(turn, go)
  }

  leave(session: Session): void {
    if (!this.#sessions.delete(session.id)) return
    const position = this.#queue.indexOf(session)
    if (position >= 0) this.#queue.splice(position, 1)
    for (const turn of session.turns.splice(0)) turn.stopTimer?.()
    if (this.#broken !== undefined) return
    if (this.#owner === session) {
      this.#owner = undefined
      // COMMIT was not among what was received, or it would have run. Nor was the SYNC that would commit statements outside of a
      // transaction: they are rolled back before it. After an error only it is heard, and what is behind it.
      this.#execute(concat([Frontend.query("rollback"), Frontend.sync(), Frontend.query("rollback")]))
      this.#prepareAgain()
    }
    if (this.#unnamedBy === session) this.#unnamedBy = undefined
    if (this.#owner === undefined) this.#forget(session)
    else this.#left.push(session)
    this.#pump()
  }

  /** Those who left while another's transaction was open: what they left behind is cleared when it ends. */
  readonly #left: Array<Session> = []

  #forget(session: Session): void {
    if (session.hasPrepared) {
      // As PGlite knows them: what was to be closed in a turn that failed is still there.
      const known = this.ask(
        `select name from pg_prepared_statements where starts_with(name, ${literal(session.named(""))})`
      )
      const closes = known.rows.map(([name]) => Frontend.closeStatement(name as string))
      if (closes.length > 0) this.#execute(concat([...closes, Frontend.sync()]))
    }
    if (session.channels.size > 0) this.#listen()
  }

  /** Whoever waits behind an open transaction waits no longer than it likes. */
  #watchQueue(): void {
    if (this.#owner === undefined) return
    for (const session of this.#queue) {
      const [turn] = session.turns
      if (session !== this.#owner && turn !== undefined && turn.stopTimer === undefined) this.#watch(session, turn)
    }
  }

  /** A turn that cannot run yet is given up when its connection's patience ends. */
  #watch(session: Session, turn: Waiting): void {
    const { lock_timeout: lock, statement_timeout: statement } = session.limits
    const isLock = lock > 0 && (statement === 0 || lock <= statement)
    const millis = isLock ? lock : statement
    if (millis === 0) return
    const problem = isLock
      ? { code: "55P03", message: "canceling statement due to lock timeout" }
      : canceled("statement timeout")
    turn.stopTimer = this.host.after(millis, () => this.guard(() => this.#giveUp(session, problem)))
  }

  /** The turn of a connection that waits for the session ends with this problem; one that does not wait goes on. */
  #giveUp(session: Session, problem: Problem): void {
    const position = this.#queue.indexOf(session)
    if (position < 0 || this.#owner === session) return
    this.#queue.splice(position, 1)
    const { frames } = session.endTurn()
    // In the extended protocol an error is followed by nothing until the client says SYNC.
    const isOver = !isExtended(frames) || frames.at(-1)?.type === "S" || session.skipToSync()
    const error = errorResponse("ERROR", problem)
    // All is as it will be: what hears this may answer before the call returns.
    session.peer.send(isOver ? concat([error, readyForQuery("I")]) : error)
    this.offer(session)
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      for (;;) {
        const owner = this.#owner
        const position = owner === undefined ? 0 : this.#queue.indexOf(owner)
        const [session] = position < 0 ? [] : this.#queue.splice(position, 1)
        if (session === undefined) return
        this.#run(session)
      }
    } finally {
      this.#isPumping = false
    }
  }

  #run(session: Session): void {
    const turn = session.endTurn()
    session.stopIdleTimer()
    if (this.#owner === undefined) {
      const refusal = this.#apply(session.settings)
      if (refusal !== undefined) return session.fatal(refusal)
    }
    const before = session.status
    const instead = turn.instead ?? insteadOfCopy(turn)
    if (instead === undefined) this.#restoreUnnamed(session, turn)
    else this.#unnamedBy = undefined
    const frames = this.#execute(instead ?? concat(turn.frames.map(({ bytes }) => bytes)))
    const done = outcomeOf(frames, before)
    session.status = done.after
    // Without a word of readiness the turn goes on with what the connection sends next.
    const isOver = done.after === "I" && frames.some(({ type }) => type === "Z")
    this.#owner = isOver ? undefined : session
    this.#watchQueue()
    session.notes(turn, done)
    if (done.tags.some(forgetsStatements)) this.#hasForgotten = true
    const answer = frames.filter((frame) => frame.type !== "A" || session.channels.has(channelOf(frame)))
    const isAnswered = this.host.ran?.(turn, done) ?? true
    if (isOver) this.#settle(session)
    else session.watchIdle()
    if (isAnswered) session.peer.send(concat(answer.map(({ bytes }) => bytes)))
    for (const frame of frames) if (frame.type === "A") this.#notify(frame, session)
    this.offer(session)
  }

  /** One connection has made PGlite forget the statements of all. */
  #hasForgotten = false

  /** A transaction has ended: what had to wait for that is done now. */
  #settle(session: Session): void {
    this.#prepareAgain()
    if (session.hasChangedSettings) {
      const { rows } = this.ask("select name, setting from pg_settings where source = 'session'")
      session.keepSettings(rows as ReadonlyArray<[string, string]>)
      const limits = rows.map(([name]) => name as string).filter((name) => limitNames.includes(name))
      if (limits.length > 0) this.ask(limits.map((name) => `reset ${name}`).join("; "))
      this.#applied = session.settings
    }
    const hadListened = session.channels.size
    if (session.keepChannels() || hadListened !== session.channels.size) this.#listen()
    for (const gone of this.#left.splice(0)) this.#forget(gone)
  }

  #prepareAgain(): void {
    if (!this.#hasForgotten) return
    this.#hasForgotten = false
    this.#unnamedBy = undefined
    const named = [...this.#sessions.values()].flatMap(({ statements }) =>
      [...statements].filter(([name]) => name !== "")
    )
    // Each by itself: one that is no longer good is told so when it is used.
    for (const [, { bytes }] of named) this.#execute(concat([bytes, Frontend.sync()]))
  }

  /** PGlite's session listens to what any connection listens to. */
  #listen(): void {
    const wanted = new Set([...this.#sessions.values()].flatMap(({ channels }) => [...channels]))
    const heard = new Set(this.ask("select pg_listening_channels()").rows.map(([channel]) => channel as string))
    const changes = [
      ...[...wanted].filter((channel) => !heard.has(channel)).map((channel) => `listen ${identifier(channel)}`),
      ...[...heard].filter((channel) => !wanted.has(channel)).map((channel) => `unlisten ${identifier(channel)}`)
    ]
    if (changes.length > 0) this.ask(changes.join("; "))
  }

  #notify(notification: Frame, by: Session): void {
    const channel = channelOf(notification)
    for (const session of this.#sessions.values()) {
      if (session !== by && session.channels.has(channel)) session.peer.send(notification.bytes)
    }
  }

  /** Brings the settings of a connection into force; what it asked for may be refused. */
  #apply(settings: Settings): Problem | undefined {
    if (isSame(settings, this.#applied)) return undefined
    const role = settings.get("role")
    const changes = [...settings].filter(([name]) => name !== "role")
    const calls = changes.map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`)
    this.#applied = none
    try {
      this.ask("reset all; set role none")
      if (calls.length > 0) this.ask(`select ${calls.join(", ")}`)
      if (role !== undefined && role !== "none") this.ask(`set role ${identifier(role)}`)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.ask("reset all; set role none")
      return error.problem
    }
    this.#applied = settings
    return undefined
  }

  /** Something else may have taken the place of this connection's unnamed statement, which then is parsed again, unseen. */
  #restoreUnnamed(session: Session, { frames }: Waiting): void {
    const use = frames.find((frame) => Frontend.statementName(frame) === "")
    if (use !== undefined) {
      if (use.type !== "P" && this.#unnamedBy !== session && session.unnamed !== undefined) {
        this.#execute(concat([session.unnamed.bytes, Frontend.sync()]))
      }
      this.#unnamedBy = session
      session.unnamed = frames.findLast(isUnnamedParse) ?? session.unnamed
    }
    if (frames.some(({ type }) => type === "Q")) {
      this.#unnamedBy = undefined
      session.unnamed = undefined
    }
  }

  /** PGlite may end without a throw: what is fatal to a process of Postgres is to all that share this one. */
  #execute(messages: Uint8Array): ReadonlyArray<Frame> {
    const frames = framesOf(this.host.execute(messages))
    const last = frames.findLast(({ type }) => type === "E")
    const { M: message, V: severity } = last === undefined ? {} : fieldsOf(last)
    if (severity === "PANIC" || severity === "FATAL") throw new Error(message)
    return frames
  }

  /** PGlite itself has failed: nobody can be served any more. */
  #break(error: unknown): void {
    if (this.#broken !== undefined) throw error
    const what = error instanceof Error ? error.message : "it ended in the middle of a statement"
    this.#broken = { code: "57P02", message: `the embedded database has failed: ${what}` }
    this.#owner = undefined
    this.#queue.length = 0
    this.shutDown(this.#broken)
    this.host.failed(error)
  }
}

/** One connection: a session of its own, as far as its client can tell. */
export class Session {
  readonly id: number
  readonly peer: Peer
  readonly #multiplexer: Multiplexer
  readonly #frames = new Frames()
  #phase: "opening" | "open" | "closed" = "opening"
  secret = 0
  status: Status = "I"
  /** Sent and not yet run, in order. */
  readonly turns: Array<Waiting> = []
  /** The host has been asked about the first of them. */
  isAsking = false
  #turnCount = 0
  /** What was sent since the last turn. */
  #sent: Array<Frame> = []
  /** What it has prepared by name, as PGlite was told. */
  readonly statements = new Map<string, Frame>()
  hasPrepared = false
  /** After an error, until SYNC. */
  #isSkipping = false
  unnamed: Frame | undefined
  settings: Settings = none
  limits: Limits = noLimits
  #startupLimits: Limits = noLimits
  hasChangedSettings = false
  channels: ReadonlySet<string> = new Set()
  /** LISTEN and UNLISTEN of the present transaction. */
  #listens: Array<{ readonly isOn: boolean; readonly channel: string }> = []
  #isRolledBack = false
  #stopIdleTimer: (() => void) | undefined

  constructor(multiplexer: Multiplexer, peer: Peer, id: number) {
    this.#multiplexer = multiplexer
    this.peer = peer
    this.id = id
  }

  /** Bytes of the client, in pieces of any size. */
  receive(piece: Uint8Array): void {
    this.#multiplexer.guard(() => this.#receive(piece))
  }

  #receive(piece: Uint8Array): void {
    try {
      for (const frame of this.#frames.push(piece, () => this.#phase !== "opening")) {
        if (this.#phase === "closed") return
        this.#take(frame)
      }
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error
      this.fatal({ code: "08P01", message: `invalid message: ${error.message}` })
    }
  }

  /** The client is gone, in order or not. */
  left(): void {
    if (this.#phase === "closed") return
    this.#phase = "closed"
    this.stopIdleTimer()
    this.#multiplexer.guard(() => this.#multiplexer.leave(this))
  }

  /** Ends the connection and says why; what was not committed is rolled back. */
  fatal(problem: Problem): void {
    if (this.#phase === "closed") return
    this.peer.send(errorResponse("FATAL", problem))
    this.left()
    this.peer.end()
  }

  /** The name by which PGlite knows a statement of this connection. */
  named(name: string): string {
    return `c${this.id}_${name}`
  }

  // --------------------------------------------------------------------------------------------- for the multiplexer

  /** Takes over what its startup asks for. */
  configure(startup: Readonly<Record<string, string>>): void {
    const asked = new Map([...Object.entries(startup), ...optionsOf(startup["options"] ?? "")])
    const limits = { ...noLimits }
    for (const name of Object.keys(noLimits) as Array<keyof Limits>) limits[name] = millisOf(asked.get(name) ?? "0")
    const settings = [...asked].filter(([name]) => !notSettings.includes(name) && !limitNames.includes(name))
    const { user = superuser } = startup
    if (user !== superuser) settings.push(["role", user])
    this.settings = new Map(settings)
    this.limits = limits
    this.#startupLimits = limits
  }

  begin(greeting: {
    readonly processId: number
    readonly secret: number
    readonly parameters: Readonly<Record<string, string>>
  }): void {
    this.secret = greeting.secret
    this.peer.send(welcome(greeting))
  }

  endTurn(): Waiting {
    const turn = this.turns.shift() as Waiting
    turn.stopTimer?.()
    return turn
  }

  /** Drops what is sent before the next SYNC; true when that has come already. */
  skipToSync(): boolean {
    while (this.turns.length > 0) if (this.endTurn().frames.at(-1)?.type === "S") return true
    this.#sent = []
    this.#isSkipping = true
    return false
  }

  /** Remembers what a turn changed for this connection. */
  notes({ texts }: Turn, { after, problem, tags }: Done): void {
    for (const tag of tags) {
      if (tag === "SET" || tag === "RESET" || tag === "DISCARD ALL") this.hasChangedSettings = true
      if (forgetsStatements(tag)) this.statements.clear()
      if (tag === "DISCARD ALL") this.#listens.push({ isOn: false, channel: "*" })
    }
    for (const text of texts) {
      // What is set for a transaction alone ends with it.
      if (/\bset_config\s*\((?![^()]*,\s*true\s*\))/i.test(text)) this.hasChangedSettings = true
      for (const [, name = ""] of text.matchAll(/\breset\s+(\w+)/gi)) this.#resetLimit(name.toLowerCase())
      if (/\bdiscard\s+all\b/i.test(text)) this.#resetLimit("all")
      if (problem !== undefined) continue
      for (const [, un = "", channel = ""] of text.matchAll(/\b(un)?listen\s+("(?:[^"]|"")+"|\w+|\*)/gi)) {
        this.#listens.push({ isOn: un === "", channel: nameOf(channel) })
      }
    }
    if (after === "I") this.#isRolledBack = problem !== undefined || tags.at(-1) === "ROLLBACK"
  }

  keepSettings(found: ReadonlyArray<readonly [string, string]>): void {
    const limits = { ...this.limits }
    for (const [name, value] of found) if (name in limits) limits[name as keyof Limits] = Number(value)
    this.limits = limits
    const role = this.settings.get("role")
    const kept = found.filter(([name]) => !limitNames.includes(name))
    this.settings = new Map(
      role === undefined || kept.some(([name]) => name === "role") ? kept : [...kept, ["role", role]]
    )
    this.hasChangedSettings = false
  }

  /** True when the channels may differ from before. */
  keepChannels(): boolean {
    const changes = this.#listens
    this.#listens = []
    if (changes.length === 0 || this.#isRolledBack) return false
    const channels = new Set(this.channels)
    for (const { channel, isOn } of changes) {
      if (channel === "*") channels.clear()
      else if (isOn) channels.add(channel)
      else channels.delete(channel)
    }
    this.channels = channels
    return true
  }

  watchIdle(): void {
    const millis = this.limits.idle_in_transaction_session_timeout
    if (millis === 0 || this.turns.length > 0) return
    this.#stopIdleTimer = this.#multiplexer.host.after(millis, () =>
      this.fatal({ code: "25P03", message: "terminating connection due to idle-in-transaction timeout" })
    )
  }

  stopIdleTimer(): void {
    this.#stopIdleTimer?.()
    this.#stopIdleTimer = undefined
  }

  #take(frame: Frame): void {
    if (this.#phase === "opening") return this.#open(frame)
    if (frame.type === "X") {
      this.left()
      return this.peer.end()
    }
    if (this.#isSkipping) {
      if (frame.type !== "S") return
      this.#isSkipping = false
      return this.peer.send(readyForQuery(this.status))
    }
    this.#sent.push(this.#renamed(frame))
    if (!Frontend.endsTurn(frame)) return
    const frames = this.#sent
    this.#sent = []
    this.stopIdleTimer()
    this.turns.push({
      session: this,
      nth: this.#turnCount++,
      frames,
      texts: this.#textsOf(frames),
      instead: undefined,
      isAdmitted: false,
      stopTimer: undefined
    })
    this.#multiplexer.offer(this)
  }

  #open(frame: Frame): void {
    const said = Frontend.opening(frame)
    switch (said._tag) {
      case "Encryption":
        return this.peer.send(notEncrypted())
      case "Cancel":
        this.#phase = "closed"
        this.#multiplexer.cancel(said.processId, said.secret)
        return this.peer.end()
      case "Startup":
        this.#phase = "open"
        return this.#multiplexer.welcome(this, said.parameters)
    }
  }

  #renamed(frame: Frame): Frame {
    const renamed = Frontend.renamed(frame, (name) => this.named(name))
    if (frame.type === "P") {
      const { name } = Frontend.parseOf(frame)
      this.statements.set(name, renamed)
      this.hasPrepared ||= name !== ""
    }
    if (frame.type === "C") {
      const name = Frontend.statementName(frame)
      if (name !== undefined) this.statements.delete(name)
    }
    return renamed
  }

  /** The statements of the turn: those that are bound, and simple queries. */
  #textsOf(frames: ReadonlyArray<Frame>): ReadonlyArray<string> {
    return frames.flatMap((frame) => {
      if (frame.type === "Q") return [Frontend.queryText(frame)]
      if (frame.type !== "B") return []
      const name = Frontend.statementName(frame) as string
      const parse = this.statements.get(name.slice(name === "" ? 0 : this.named("").length))
      return [parse === undefined ? "" : Frontend.parseOf(parse).text]
    })
  }

  #resetLimit(name: string): void {
    if (name === "all") this.limits = this.#startupLimits
    else if (name in noLimits) {
      this.limits = { ...this.limits, [name]: this.#startupLimits[name as keyof Limits] }
    }
  }
}

/** PGlite refused what the multiplexer asked for in a connection's name. */
class Refused extends Error {
  override readonly name = "Refused"
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

function isSame(some: Settings, others: Settings): boolean {
  if (some === others) return true
  return some.size === others.size && [...some].every(([name, value]) => others.get(name) === value)
}

/** The end of such a turn is not the end of what was asked. */
function isExtended(frames: ReadonlyArray<Frame>): boolean {
  return frames.some(({ type }) => type !== "Q" && type !== "F")
}

function forgetsStatements(tag: string): boolean {
  return tag === "DISCARD ALL" || tag === "DEALLOCATE ALL"
}

/** PGlite does not survive a client's COPY: it reads on when there is nothing to read. An error takes its place, as a statement. */
function insteadOfCopy({ frames, texts }: Waiting): Uint8Array | undefined {
  if (!texts.some((text) => copiesIn.test(text))) return undefined
  const message = "COPY from the client is not supported by the embedded database"
  const refusal = `do $$ begin raise exception using errcode = '0A000', message = '${message}'; end $$`
  if (!isExtended(frames)) return Frontend.query(refusal)
  return concat([...Frontend.runOnce(refusal), (frames.at(-1) as Frame).bytes])
}

const copiesIn = /(?:^|;)(?:\s|--[^\n]*\n|\/\*.*?\*\/)*copy\b[^;]*\bfrom\s+stdin\b/is

function isUnnamedParse(frame: Frame): boolean {
  return frame.type === "P" && Frontend.statementName(frame) === ""
}

function outcomeOf(frames: ReadonlyArray<Frame>, before: Status): Done {
  const ready = frames.findLast(({ type }) => type === "Z")
  const error = frames.find(({ type }) => type === "E")
  return {
    tags: frames.filter(({ type }) => type === "C").map(tagOf),
    before,
    after: ready === undefined ? before : statusOf(ready),
    problem: error === undefined ? undefined : problemOf(error)
  }
}

function problemOf(error: Frame): Problem {
  const { C: code = "XX000", M: message = "unknown error" } = fieldsOf(error)
  return { code, message }
}

function canceled(why: string): Problem {
  return { code: "57014", message: `canceling statement due to ${why}` }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Postgres cuts longer ones off, between two letters. */
const identifierBytesMax = 63

/** What an identifier in SQL names. */
function nameOf(written: string): string {
  const name = written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written.toLowerCase()
  return new TextDecoder().decode(new TextEncoder().encode(name).subarray(0, identifierBytesMax), { stream: true })
}

/** The settings of "-c name=value -c …". */
function optionsOf(options: string): ReadonlyArray<readonly [string, string]> {
  return [...options.matchAll(/(?:-c\s*|--)([\w.-]+)=((?:\\.|\S)*)/g)].map(([, name = "", value = ""]) => [
    name.toLowerCase().replaceAll("-", "_"),
    value.replaceAll(/\\(.)/g, "$1")
  ])
}

/** "750", "750ms", "1s", "2min" as milliseconds. */
function millisOf(text: string): number {
  const [, amount = "0", unit = "ms"] = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?\s*$/.exec(text) ?? []
  return Math.round(Number(amount) * { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }[unit]!)
}
