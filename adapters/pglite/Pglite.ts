/**
 * PGlite as a function from messages to messages: Postgres compiled to WebAssembly, one session, everything synchronous.
 *
 * - P1 Postgres' own timers are never armed: a timer would strike whoever has the session when it fires.
 * Absent on purpose: PGlite's own queries, parsers and locks. The production driver does that work.
 */
import { PGlite } from "@electric-sql/pglite"

export interface Pglite {
  /** Whole messages of the protocol, startup excepted. Throws when the WebAssembly does. */
  readonly execute: (messages: Uint8Array) => Uint8Array
  /** Shuts Postgres down in order. */
  readonly close: () => Promise<void>
}

/** The major version of Postgres that the pinned PGlite is. */
export const majorVersion = 18

/** In the directory, which is made if need be, or in memory. */
export const open = async (directory?: string): Promise<Pglite> => {
  const pglite = await PGlite.create({
    ...(directory === undefined ? {} : { dataDir: directory }),
    // What Postgres logs would go to the program's own output.
    onStdout: () => true,
    onStderr: () => true
  })
  const received: Array<Uint8Array> = []
  const collect = (bytes: Uint8Array): void => void received.push(bytes.slice())
  // From here on PGlite gives its bytes as they are, instead of parsing and keeping them.
  await pglite.execProtocolRawStream(emptyQuery, { syncToFs: false, onRawData: collect })
  return {
    execute: (messages) => {
      received.length = 0
      const rest = withoutTimers(() => pglite.execProtocolRawSync(messages))
      return received.length === 0 ? rest : Buffer.concat(received)
    },
    close: () => pglite.close()
  }
}

/** A simple query of nothing. */
const emptyQuery = new Uint8Array([81, 0, 0, 0, 5, 0])

/** The WebAssembly asks the host for timers by the global name, and for nothing else that waits. */
function withoutTimers<A>(body: () => A): A {
  const { setTimeout } = globalThis
  globalThis.setTimeout = never as unknown as typeof setTimeout
  try {
    return body()
  } finally {
    globalThis.setTimeout = setTimeout
  }
}

function never(): number {
  return 0
}
