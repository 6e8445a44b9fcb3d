/**
 * One connection of a generator of load: one request after the other, and of the answers no more is read than status and length. As
 * cheap as can be, because it shares the machine with what it measures.
 */
import net from "node:net"

export class HttpLane {
  readonly #socket: net.Socket
  readonly #port: number
  #answered: (status: number) => void = () => undefined
  #failed: (error: Error) => void = () => undefined
  #head = ""
  #status = 0
  #left = 0

  constructor(port: number) {
    this.#port = port
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
    this.#socket.on("data", (chunk) => this.#read(chunk))
    this.#socket.on("error", (error) => this.#failed(error))
    this.#socket.on("close", () => this.#failed(new Error("the node closed a connection")))
  }

  /** Answers the status. `body` is ASCII. */
  post(path: string, key: string, body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
      this.#socket.write(
        `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${this.#port}\r\ncontent-type: application/json\r\n` +
          `content-length: ${body.length}\r\nidempotency-key: ${key}\r\n\r\n${body}`
      )
    })
  }

  close(): void {
    this.#failed = () => undefined
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    if (this.#left > 0) this.#left -= chunk.length
    else {
      this.#head += chunk.toString("latin1")
      const end = this.#head.indexOf("\r\n\r\n")
      if (end < 0) return
      const head = this.#head.slice(0, end)
      this.#status = Number(head.slice(9, 12))
      this.#left = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0) - (this.#head.length - end - 4)
      this.#head = ""
    }
    if (this.#left === 0) this.#answered(this.#status)
  }
}
