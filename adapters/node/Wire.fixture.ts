/**
 * What stands between callers and a server, so that a test can disturb what passes: a relay of TCP connections that counts them, and
 * can swallow, keep or reset.
 */
import * as Net from "node:net"

export class Wire {
  connections = 0
  readonly port: number
  readonly #server: Net.Server
  readonly #sockets = new Set<Net.Socket>()
  #isCut = false
  #isResetting = false

  private constructor(server: Net.Server, port: number) {
    this.#server = server
    this.port = port
  }

  /** Relays to whatever port the target has when somebody connects. */
  static async open(targetOf: () => number): Promise<Wire> {
    const server = Net.createServer({ allowHalfOpen: true, pauseOnConnect: true })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const wire = new Wire(server, typeof address === "object" && address !== null ? address.port : 0)
    server.on("connection", (caller) => wire.#relay(caller, targetOf()))
    return wire
  }

  /** What is sent from now on disappears; both ends keep their connections. */
  cut(): void {
    this.#isCut = true
  }

  /** What is sent from now on is kept. Returns how to let it go. */
  clog(): () => void {
    const kept = [...this.#sockets]
    for (const socket of kept) socket.pause()
    return () => {
      for (const socket of kept) socket.resume()
    }
  }

  /** Who sends something next is reset, and so is his peer. */
  reset(): void {
    this.#isResetting = true
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #relay(caller: Net.Socket, port: number): void {
    this.connections++
    const callee = Net.connect({ host: "127.0.0.1", port, allowHalfOpen: true })
    this.#carry(caller, callee)
    this.#carry(callee, caller)
  }

  #carry(from: Net.Socket, to: Net.Socket): void {
    this.#sockets.add(from)
    from.on("data", (chunk) => {
      if (this.#isResetting) {
        from.resetAndDestroy()
        to.resetAndDestroy()
      } else if (!this.#isCut) {
        if (to.write(chunk)) return
        from.pause()
        to.once("drain", () => from.resume())
      }
    })
    from.on("end", () => {
      if (!this.#isCut) to.end()
    })
    from.on("error", () => {
      if (!this.#isCut) to.resetAndDestroy()
    })
    from.on("close", () => this.#sockets.delete(from))
    from.resume()
  }
}
