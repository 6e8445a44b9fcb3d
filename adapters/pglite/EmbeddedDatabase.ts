/**
 * The embedded default: PGlite in a directory of this process, reached by the production driver through streams.
 *
 *   const { connection } = yield* EmbeddedDatabase.make({ directory: "./data" })
 *   PgClient.layer({ ...connection, maxConnections: 10 })
 *
 * - E1 What was committed survives the end of the process, however it ends. The loss of power it may not: PGlite does not
 *   wait for the disk.
 * - E2 Whoever connects is in the same process: nobody is asked for a password.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import crypto from "node:crypto"
import fs from "node:fs"
import { Duplex } from "node:stream"
import * as DataDirectory from "./DataDirectory.ts"
import { Multiplexer, type Session, superuser } from "./Multiplexer.ts"
import * as Pglite from "./Pglite.ts"
import { createRole } from "./runtimeRole.ts"

export interface EmbeddedDatabase {
  /** What the driver needs to connect: as the superuser, who owns all. Programs come as `runtimeRole`, for whom row security holds. */
  readonly connection: { readonly stream: () => Duplex; readonly username: string; readonly database: string }
}

/** Opens the database of a directory, which is made when there is none, or one in memory; closes it with the scope. */
export const make = (
  options: { readonly directory?: string } = {}
): Effect.Effect<EmbeddedDatabase, DataDirectory.DataDirectoryRefused, Scope.Scope> =>
  Effect.gen(function* () {
    const { directory } = options
    if (directory !== undefined) {
      const held = yield* DataDirectory.acquire(directory)
      if (held.contents === "nothing yet") yield* initialize(directory, held)
    }
    const state = { isBroken: false }
    const pglite = yield* Effect.acquireRelease(opened(directory), (pglite) =>
      // What has failed cannot be shut down in order; what was committed is in the directory.
      Effect.promise(async () => (state.isBroken ? undefined : await pglite.close()))
    )
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const failed = (error: unknown): void => {
      state.isBroken = true
      run(Effect.logError("the embedded database has failed: close it, and open it again", Cause.die(error)))
    }
    const multiplexer = yield* Effect.acquireRelease(
      Effect.sync(() => new Multiplexer({ execute: pglite.execute, failed, after, secret })),
      (multiplexer) =>
        Effect.sync(() =>
          multiplexer.shutDown({ code: "57P01", message: "terminating connection due to administrator command" })
        )
    )
    yield* Effect.sync(() => multiplexer.ask(createRole))
    return {
      connection: { stream: () => new Pipe(multiplexer), username: superuser, database: "postgres" }
    }
  })

/** What is whole enough to begin with may still turn out to be damaged while Postgres recovers it. */
function opened(directory: string | undefined): Effect.Effect<Pglite.Pglite, DataDirectory.DataDirectoryRefused> {
  if (directory === undefined) return Effect.promise(() => Pglite.open())
  return Effect.tryPromise({
    try: () => Pglite.open(directory),
    catch: (error) =>
      DataDirectory.refusedAsDamaged(directory, `PGlite cannot open them (${DataDirectory.errorText(error)})`)
  })
}

/**
 * Under another name first: a process that dies meanwhile leaves nothing that looks like a database. Not to be interrupted:
 * the work would go on without the lock.
 */
function initialize(
  directory: string,
  { draft, target }: DataDirectory.Held
): Effect.Effect<void, DataDirectory.DataDirectoryRefused> {
  const made = Effect.tryPromise({
    try: async () => {
      const pglite = await Pglite.open(draft)
      await pglite.close()
    },
    catch: (error) => DataDirectory.refusedAsUnusable(directory, error)
  })
  const put = Effect.try({
    try: () => {
      // Only what is empty can be removed: whatever came there meanwhile stays.
      if (fs.existsSync(target)) fs.rmdirSync(target)
      fs.renameSync(draft, target)
    },
    catch: (error) =>
      (error as NodeJS.ErrnoException).code === "EBUSY"
        ? DataDirectory.refusedAsFixed(directory, error)
        : DataDirectory.refusedAsUnusable(directory, error)
  })
  const remove = Effect.sync(() => fs.rmSync(draft, { recursive: true, force: true }))
  return Effect.uninterruptible(Effect.onError(Effect.andThen(made, put), () => remove))
}

/** The driver's end of a connection. */
class Pipe extends Duplex {
  readonly #session: Session

  constructor(multiplexer: Multiplexer) {
    // As sockets are: when the other end says goodbye, so does this one.
    super({ allowHalfOpen: false })
    this.#session = multiplexer.connect({
      send: (bytes) => {
        this.push(bytes)
      },
      end: () => {
        this.push(null)
        // Also noticed by who does not read, as with sockets.
        this.read(0)
      }
    })
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#session.receive(chunk)
    done()
  }

  /** Answers are pushed when they are there. */
  override _read(): void {
    return
  }

  override _final(done: (error?: Error) => void): void {
    this.#session.left()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#session.left()
    done(error)
  }
}

function after(millis: number, run: () => void): () => void {
  const timer = setTimeout(run, millis)
  return () => clearTimeout(timer)
}

function secret(): number {
  return crypto.randomInt(-0x8000_0000, 0x8000_0000)
}
