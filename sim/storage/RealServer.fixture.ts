/**
 * Real Postgres as a player of schedules: a few sessions, each at most one statement ahead, and a control connection that asks who
 * waits for whom (`pg_blocking_pids`).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Statement } from "../../core/ports/Storage.ts"
import type { Connection } from "../../adapters/postgres/EmbeddedPostgres.ts"
import { bind, makeCodecs } from "../../adapters/postgres/Codecs.ts"
import { run } from "../../adapters/postgres/Database.fixture.ts"
import { createSchema } from "../../adapters/postgres/Schema.ts"
import { type Tables, fencedCode, literal, toSql } from "../../adapters/postgres/Sql.ts"
import type { Table } from "../../core/ports/Table.ts"
import { type Move, type Observed, type Player, type Turn, answered } from "./Lockstep.fixture.ts"

/** How soon the server looks for cycles of waits, in its own words. */
const deadlockTimeout = "8ms"
const limits = { lock: "5ms", statement: "50ms", silence: "5ms" } as const

/** Where `findIndex` puts whoever is none of the clients. */
const stranger = -1

type Execute = Extract<Move, { readonly does: "execute" }>

type Result = Exit.Exit<PgConnection.Result, SqlError>

class Client {
  readonly connection: PgConnection.PgConnection
  readonly scope: Scope.Closeable
  isInTransaction = false
  /** The server rolled back; or the client has, after a fence that did not hold. */
  isDoomed = false
  isPending = false
  /** Its statement ends by itself in a moment. */
  isLimited = false

  constructor(connection: PgConnection.PgConnection, scope: Scope.Closeable) {
    this.connection = connection
    this.scope = scope
  }
}

export interface ServerOptions {
  readonly tables: ReadonlyArray<Table<unknown>>
  readonly sessions: number
  /** Before each connection is used. */
  readonly settings: ReadonlyArray<string>
}

/** Makes the tables, and the function that puts them into the state that schedules begin with. */
export const createTables = (
  where: Connection,
  {
    given,
    schema = "public",
    tables
  }: {
    readonly tables: ReadonlyArray<Table<unknown>>
    readonly given: ReadonlyArray<Statement>
    readonly schema?: string
  }
): Promise<unknown> => {
  const named = new Map(tables.map((table) => [table.name, table]))
  const inline = (statement: Statement): string => {
    const { parameters, text } = toSql(statement, named)
    return text.replaceAll(/\$(\d+)/g, (_match, nth: string) => {
      const { isArray, kind, value } = parameters[Number(nth) - 1]!
      return literal(kind, value, isArray)
    })
  }
  // Truncated, so that each table is one page: a scan that reads more meets what is on the second only when it gets there.
  const body = [`truncate ${tables.map(({ name }) => name).join(", ")}`, ...given.map(inline)].join("; ")
  return Effect.runPromise(
    run(
      where,
      `create schema if not exists ${schema}`,
      `set search_path = ${schema}`,
      ...createSchema(tables),
      `create function reset() returns void language sql as $$ ${body}; select $$`
    )
  )
}

export class RealServer implements Player {
  readonly #where: Connection
  readonly #options: ServerOptions
  readonly #control: Client
  readonly #tables: Tables
  #clients: Array<Client>
  #replies = new Map<number, string>()
  #wakeUp: () => void = () => undefined

  static async open(where: Connection, options: ServerOptions): Promise<RealServer> {
    const clients = await Promise.all(Array.from({ length: options.sessions + 1 }, () => connect(where, options)))
    return new RealServer(where, options, clients)
  }

  private constructor(where: Connection, options: ServerOptions, [control, ...clients]: Array<Client>) {
    this.#where = where
    this.#options = options
    this.#control = control!
    this.#tables = new Map(options.tables.map((table) => [table.name, table]))
    this.#clients = clients
  }

  async close(): Promise<void> {
    await Promise.all([this.#control, ...this.#clients].map(({ scope }) => close(scope)))
  }

  /** Ends whatever is open and begins anew. */
  async reset(): Promise<void> {
    const unsettled = this.#clients.some(({ isPending }) => isPending)
    if (unsettled) await this.#askControl("select pg_cancel_backend(pid) from unnest($1::int4[]) pid", [this.#pids()])
    while (this.#clients.some(({ isPending }) => isPending)) await this.#anything(50)
    for (const client of this.#clients) {
      if (client.isInTransaction) await tell(client, "rollback")
      client.isInTransaction = false
      client.isDoomed = false
    }
    await this.#askControl("select reset()", [])
  }

  async play({ isolation, move, session }: Turn): Promise<Observed> {
    const client = this.#clients[session]!
    this.#replies = new Map()
    switch (move.does) {
      case "execute":
        if (!client.isInTransaction) {
          await tell(client, `begin isolation level ${isolation}`)
          client.isInTransaction = true
        }
        if (move.limit !== undefined && !client.isDoomed)
          await limit(client, `${move.limit}_timeout`, limits[move.limit])
        this.#start(session, move)
        break
      case "commit":
        await this.#end(session, "commit")
        break
      case "rollback":
        await this.#end(session, "rollback")
        break
      case "cancel":
        client.isLimited = true
        await this.#askControl("select pg_cancel_backend($1::int4)", [client.connection.processId])
        break
      case "falls silent":
        await limit(client, "idle_in_transaction_session_timeout", limits.silence)
        await this.#leave(session)
        break
      case "is ended":
        await this.#askControl("select pg_terminate_backend($1::int4)", [client.connection.processId])
        await this.#leave(session)
        break
    }
    const waits = await this.#settle()
    if (move.does === "execute" && move.limit !== undefined && !client.isDoomed && client.isInTransaction) {
      await limit(client, `${move.limit}_timeout`, "0")
    }
    return { replies: this.#replies, waits }
  }

  #start(session: number, move: Execute): void {
    const client = this.#clients[session]!
    if (client.isDoomed) {
      this.#replies.set(session, "Aborted")
      return
    }
    client.isPending = true
    client.isLimited = move.limit !== undefined
    void this.#answer(session, client, move)
  }

  async #answer(session: number, client: Client, { gate, statement }: Execute): Promise<void> {
    const { parameters, text } = toSql(statement, this.#tables, gate)
    const result = await exitOf(client.connection.query(text, parameters.map(bind)))
    if (this.#clients[session] !== client) return
    const reply = Exit.isSuccess(result) ? answerOf(statement, result.value) : failureOf(result)
    if (reply === "Fenced" || Exit.isFailure(result)) client.isDoomed = true
    if (reply === "Fenced") await tell(client, "rollback")
    client.isPending = false
    client.isLimited = false
    this.#replies.set(session, reply)
    this.#wakeUp()
  }

  async #end(session: number, how: "commit" | "rollback"): Promise<void> {
    const client = this.#clients[session]!
    const wasDoomed = client.isDoomed
    const result = await exitOf(client.connection.query(how, [], false))
    client.isInTransaction = false
    client.isDoomed = false
    const reply = Exit.isFailure(result)
      ? failureOf(result)
      : how === "rollback" || wasDoomed
        ? "RolledBack"
        : "Committed"
    this.#replies.set(session, reply === "SerializationFailure" ? "Refused" : reply)
  }

  /** The server ends the session: another takes its place. */
  async #leave(session: number): Promise<void> {
    const client = this.#clients[session]!
    const isGone = async () =>
      (await this.#askControl("select count(*)::int4 as n from pg_stat_activity where pid = $1::int4", [
        client.connection.processId
      ])) === "0"
    while (!(await isGone())) await this.#anything(1)
    this.#clients[session] = await connect(this.#where, this.#options)
    await close(client.scope)
    this.#replies.set(session, "ended")
  }

  /**
   * Until every statement is answered or waits for another of them; says who waits for whom. A wait for nobody of the schedule
   * passes: autovacuum shortens a catalog for a moment, and gives way.
   */
  async #settle(): Promise<ReadonlyMap<number, ReadonlySet<number>>> {
    let before = ""
    let text = ""
    for (let round = 0; round < 5_000; round++) {
      if (!this.#clients.some(({ isPending }) => isPending)) return new Map()
      if (round === 0) await this.#anything(1)
      const answers = this.#replies.size
      text = await this.#askControl(
        "select string_agg(pid || ':' || array_to_string(pg_blocking_pids(pid), ','), ' ' order by pid) from unnest($1::int4[]) pid",
        [this.#pids()]
      )
      const waits = this.#parse(text)
      const pending = this.#clients.filter(({ isPending }) => isPending)
      const isSettled =
        answers === this.#replies.size &&
        pending.length === waits.size &&
        pending.every(({ isLimited }) => !isLimited) &&
        !waits.values().some((whom) => whom.has(stranger)) &&
        !hasCycle(waits)
      if (isSettled && text === before) return waits
      before = isSettled ? text : ""
      if (!isSettled) await this.#anything(1)
    }
    const all = "select string_agg(concat_ws(' ', pid, backend_type, state, query), E'\\n') from pg_stat_activity"
    throw new Error(`the server does not come to rest: ${text}\n${await this.#askControl(all, [])}`)
  }

  #pids(): ReadonlyArray<number> {
    return this.#clients.filter(({ isPending }) => isPending).map(({ connection }) => connection.processId)
  }

  #parse(text: string): ReadonlyMap<number, ReadonlySet<number>> {
    const positionOf = (pid: string) =>
      this.#clients.findIndex(({ connection }) => connection.processId === Number(pid))
    const waits = new Map<number, ReadonlySet<number>>()
    for (const word of text.split(" ")) {
      const [pid, whom] = word.split(":")
      const session = positionOf(pid!)
      if (whom === undefined || whom === "" || this.#clients[session]?.isPending !== true) continue
      waits.set(session, new Set(whom.split(",").map(positionOf)))
    }
    return waits
  }

  /** Until an answer comes, or so long. */
  #anything(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis)
      this.#wakeUp = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #askControl(text: string, parameters: ReadonlyArray<unknown>): Promise<string> {
    const { rows } = await Effect.runPromise(this.#control.connection.query(text, parameters))
    const [row] = rows
    return row === undefined ? "" : String(Object.values(row)[0] ?? "")
  }
}

function exitOf(query: Effect.Effect<PgConnection.Result, SqlError>): Promise<Result> {
  return Effect.runPromise(Effect.exit(query))
}

async function connect(where: Connection, { settings }: ServerOptions): Promise<Client> {
  const scope = Scope.makeUnsafe()
  const connection = await Effect.runPromise(Scope.provide(PgConnection.make({ ...where, types: makeCodecs() }), scope))
  const client = new Client(connection, scope)
  for (const setting of [`set deadlock_timeout = '${deadlockTimeout}'`, ...settings]) await tell(client, setting)
  return client
}

function close(scope: Scope.Closeable): Promise<void> {
  return Effect.runPromise(Scope.close(scope, Exit.void))
}

async function tell({ connection }: Client, text: string): Promise<void> {
  await Effect.runPromise(connection.query(text, [], false))
}

async function limit({ connection }: Client, setting: string, value: string): Promise<void> {
  await Effect.runPromise(connection.query("select set_config($1, $2, true)", [setting, value]))
}

function answerOf(statement: Statement, { rowCount, rows }: PgConnection.Result): string {
  if (statement._tag === "Count") return answered({ rows: [], count: rows[0]!["count"] as number })
  if (statement._tag === "Fence") {
    const holds = statement.fences.every(({ epoch, lease }) =>
      rows.some((row) => row["key"] === lease && row["epoch"] === epoch)
    )
    return holds ? answered({ rows: [], count: 0 }) : "Fenced"
  }
  return answered({ rows, count: rowCount })
}

function failureOf(result: Result): string {
  const error = Exit.isFailure(result) ? (result.cause.reasons[0] as unknown as { error: SqlError }).error : undefined
  const cause = error?.reason.cause as {
    code?: string
    constraint?: string
    message?: string
    column?: string
    table?: string
  }
  switch (cause.code) {
    case "23505":
      return `UniqueViolation ${cause.constraint}`
    case "23514":
      return `CheckViolation ${cause.constraint}`
    case fencedCode:
      return "Fenced"
    case "40001":
      return "SerializationFailure"
    case "40P01":
      return "Deadlock"
    case "55P03":
      return "Timeout lock"
    case "57014":
      return "Timeout statement"
    default:
      return `${cause.code} ${cause.message}`
  }
}

/** Somebody waits, through others, for himself: the server will end one of them. */
function hasCycle(waits: ReadonlyMap<number, ReadonlySet<number>>): boolean {
  const reaches = (from: number, to: number, seen: Set<number>): boolean => {
    for (const next of waits.get(from) ?? []) {
      if (next === to) return true
      if (!seen.has(next)) {
        seen.add(next)
        if (reaches(next, to, seen)) return true
      }
    }
    return false
  }
  return [...waits.keys()].some((session) => reaches(session, session, new Set()))
}
