/**
 * A watcher of a generator of load: it dials, goes on from its last token and dials again as `core/client/watch.ts` does, and of what it is
 * told it keeps next to nothing. As cheap as can be, because a thousand of them share the machine with what they measure.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { pauseMillis } from "../../../core/client/redial.ts"
import { watchSilentMillis } from "../../../core/Limits.ts"
import { closeCodes } from "../../../core/session/SessionEnd.ts"
import { decodeMessage } from "../../../core/watch/WatchFrame.ts"

/** What a message says. */
interface Said {
  readonly isReset: boolean
  readonly token: string | undefined
  /** Of the fleets in it. */
  readonly ids: ReadonlyArray<string>
}

export interface Listening {
  readonly onOpen: () => void
  readonly onFleet: (id: string) => void
  /** What must not be: it is refused for good, or not understood. */
  readonly onProblem: (problem: string) => void
}

export class LightWatcher {
  readonly #address: string
  readonly #listening: Listening
  #ws: NodeWS.WebSocket | undefined
  #token: string | undefined
  #failures = 0
  #heardAt = 0
  #isOver = false
  #redial: NodeJS.Timeout | undefined

  /** `address` with the path: "ws://127.0.0.1:8081/v1/projects/shop/watch?kinds=fleets". */
  constructor(address: string, listening: Listening) {
    this.#address = address
    this.#listening = listening
    this.#dial()
  }

  /** Gives up a stream that has fallen silent; to be called now and then. */
  look(): void {
    if (this.#ws !== undefined && performance.now() - this.#heardAt > watchSilentMillis) this.#ws.terminate()
  }

  end(): void {
    this.#isOver = true
    clearTimeout(this.#redial)
    this.#ws?.terminate()
  }

  #dial(): void {
    const after = this.#token === undefined ? "" : `&after=${encodeURIComponent(this.#token)}`
    const ws = new NodeWS.WebSocket(`${this.#address}${after}`, { perMessageDeflate: false, skipUTF8Validation: true })
    let retryAfterSeconds = 0
    this.#ws = ws
    this.#heardAt = performance.now()
    ws.on("open", () => this.#listening.onOpen())
    ws.on("message", (data: Buffer) => {
      this.#heardAt = performance.now()
      this.#take(saidBy(data))
    })
    ws.on("unexpected-response", (_, response) => {
      retryAfterSeconds = Number(response.headers["retry-after"] ?? 0)
      const { statusCode = 0 } = response
      ws.terminate()
      if (statusCode >= 400 && statusCode < 500 && statusCode !== 429) this.#refused(`status ${statusCode}`)
    })
    // The end follows, as it does behind a refusal.
    ws.on("error", () => undefined)
    ws.on("close", (code) => {
      this.#ws = undefined
      if (this.#isOver) return
      if (code === closeCodes.keyEnded || code === closeCodes.keyForbids) return this.#refused(`code ${code}`)
      if (code === closeCodes.compacted) this.#token = undefined
      this.#failures++
      const pause = pauseMillis({ failures: this.#failures, retryAfterSeconds, fraction: Math.random() })
      this.#redial = setTimeout(() => this.#dial(), pause)
    })
  }

  #refused(why: string): void {
    this.end()
    this.#listening.onProblem(`refused: ${why}`)
  }

  #take(said: Said | undefined): void {
    if (said === undefined) return this.#listening.onProblem("told what is no frame")
    this.#failures = 0
    for (const id of said.ids) this.#listening.onFleet(id)
    if (said.isReset) this.#token = undefined
    else if (said.token !== undefined) this.#token = said.token
  }
}

/** All who watch the same are told the same bytes, which are read once. */
const read = new Map<string, Said | undefined>()
const readMax = 1_000

function saidBy(data: Buffer): Said | undefined {
  const bytes = data.toString("latin1")
  if (read.has(bytes)) return read.get(bytes)
  if (read.size >= readMax) read.delete(read.keys().next().value!)
  const frame = decodeMessage(data.toString())
  const said =
    frame === undefined
      ? undefined
      : {
          isReset: frame._tag === "Reset",
          token: frame._tag === "Reset" ? undefined : frame.token,
          ids:
            frame._tag === "Changes"
              ? frame.changes.events.flatMap(({ id, kind }) => (kind === "fleet" ? [id] : []))
              : []
        }
  read.set(bytes, said)
  return said
}
