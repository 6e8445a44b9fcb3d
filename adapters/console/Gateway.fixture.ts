/** What may stand between a reader and a node: a way that can be cut, and a token that is not known any more. */
import { once } from "node:events"
import http from "node:http"
import type { AddressInfo, Socket } from "node:net"

export class Gateway {
  readonly #node: () => number
  readonly #server: http.Server
  readonly #open = new Set<Socket>()
  #isCut = false
  /** The next stream that comes with a token is told that it is too old. */
  forgets = false
  /** How the next request that is to change something is answered, which the node then does not hear of. */
  refuses: { readonly status: number; readonly problem: object } | undefined
  /** Of the streams that were asked for: their paths and tokens. */
  readonly streams: Array<{ readonly path: string; readonly token: string | undefined }> = []

  /** `node` is its port. */
  constructor(node: () => number) {
    this.#node = node
    this.#server = http.createServer((request, response) => this.#answer(request, response))
    this.#server.on("connection", (socket) => {
      if (this.#isCut) {
        socket.destroy()
        return
      }
      this.#open.add(socket)
      socket.once("close", () => this.#open.delete(socket))
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1")
    await once(this.#server, "listening")
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Whatever is open ends, and nothing new begins, until it is mended. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#open) socket.destroy()
  }

  mend(): void {
    this.#isCut = false
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { headers, method, url: path = "/" } = request
    if (/\/watch(\?|$)/.test(path)) {
      const token = headers["last-event-id"] as string | undefined
      this.streams.push({ path, token })
      if (this.forgets && token !== undefined) {
        this.forgets = false
        response.writeHead(410, { "content-type": "application/problem+json" }).end('{"detail":"too old"}')
        return
      }
    }
    if (this.refuses !== undefined && method !== "GET") {
      const { problem, status } = this.refuses
      this.refuses = undefined
      request.resume()
      response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(problem))
      return
    }
    const asked = http.request({ host: "127.0.0.1", port: this.#node(), method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    // The reader is told by the end of the connection.
    asked.on("error", () => response.destroy())
    response.on("close", () => asked.destroy())
    request.pipe(asked)
  }
}
