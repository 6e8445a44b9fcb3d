/** Keeps one watch stream: opens it, reads it, notices when it is lost, and goes on from its last token. */
import * as Connections from "../connection.ts"
import { read } from "../serverSentEvents.ts"
import * as Tables from "../tables.ts"
import { messageOf, retryAfterMillisOf } from "../wishes.ts"
import { authorization } from "./api.ts"

export class WatchStream {
  readonly #path: string
  readonly #onChange: () => void
  /** Of the stream that is open or being opened. What an older one still says is nobody's. */
  #opened: AbortController | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  watched: Tables.Watched = Tables.nothing
  connection: Connections.Connection = Connections.begin(performance.now())

  constructor(path: string, onChange: () => void) {
    this.#path = path
    this.#onChange = onChange
  }

  /** Now, whatever it waited for. */
  open(): void {
    this.#close()
    this.#happens({ _tag: "Wanted" })
    this.#start()
  }

  /** Nobody looks; `open` goes on. */
  rest(): void {
    this.#close()
    this.#happens({ _tag: "Hidden" })
  }

  /** To be called every second or so. */
  tick(): void {
    if (Connections.isSilent(this.connection, performance.now())) this.#lost("silent")
  }

  #close(): void {
    clearTimeout(this.#retry)
    this.#opened?.abort()
    this.#opened = undefined
    this.watched = Tables.cutOff(this.watched)
  }

  #lost(why: string): void {
    this.#close()
    this.#happens({ _tag: "Lost", why })
  }

  #happens(happening: Connections.Happening): void {
    const now = performance.now()
    this.connection = Connections.next(this.connection, happening, now, Math.random())
    const { phase } = this.connection
    if (phase._tag === "Waiting") {
      this.#retry = setTimeout(() => {
        this.connection = { ...this.connection, phase: { _tag: "Opening", sinceMillis: performance.now() } }
        this.#onChange()
        this.#start()
      }, phase.untilMillis - now)
    }
    this.#onChange()
  }

  #start(): void {
    const opened = new AbortController()
    this.#opened = opened
    void this.#follow(opened)
  }

  async #follow(opened: AbortController): Promise<void> {
    const why = await this.#read(opened)
    if (this.#opened === opened && why !== undefined) this.#lost(why)
  }

  /** Returns why it is over; undefined when that was said already. */
  async #read(opened: AbortController): Promise<string | undefined> {
    const { token } = this.watched
    try {
      const response = await fetch(this.#path, {
        headers: {
          accept: "text/event-stream",
          ...authorization(),
          ...(token === undefined ? {} : { "last-event-id": token })
        },
        cache: "no-store",
        signal: opened.signal
      })
      if (this.#opened !== opened) return undefined
      if (response.status !== 200 || response.body === null) {
        const { status } = response
        const retryAfterMillis = retryAfterMillisOf({ retryAfter: response.headers.get("retry-after") })
        const why = messageOf({ status, text: await response.text() })
        if (this.#opened !== opened) return undefined
        this.#close()
        if (status === 410) this.watched = Tables.expired(this.watched)
        const asked = retryAfterMillis === undefined ? {} : { retryAfterMillis }
        this.#happens({ _tag: "Answered", status, why, ...asked })
        return undefined
      }
      this.#happens({ _tag: "Opened" })
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      let rest = ""
      while (true) {
        const { done, value } = await reader.read()
        if (this.#opened !== opened) return undefined
        if (done) return "the node ended it"
        const piece = read(rest, value)
        rest = piece.rest
        for (const event of piece.events) {
          const next = Tables.step(this.watched, event, performance.now())
          if (next === undefined) return "garbled"
          this.watched = next
        }
        if (piece.events.length > 0) this.#happens({ _tag: "Heard" })
      }
    } catch (error) {
      // Refused, cut, or ended by us, who then ask for no reason.
      return error instanceof Error && error.name === "AbortError" ? undefined : "no answer"
    }
  }
}
