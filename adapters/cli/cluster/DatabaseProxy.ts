/**
 * What stands between one node and the database, so that it can be cut off as by a network that loses everything: nothing is closed
 * and nothing refused, nothing arrives. What was sent meanwhile arrives when it is healed, as TCP would send it again.
 *
 * - X1 While it is cut, neither end learns that the other has gone; a new connection is accepted (its opener's kernel sees to that)
 *   and hears nothing.
 * - X2 Bytes are passed on as they are, at the pace of whoever reads them.
 */
import net from "node:net"

export interface Target {
  readonly host: string
  readonly port: number
}

export class DatabaseProxy {
  readonly #target: Target
  readonly #server: net.Server
  readonly #pairs = new Set<Pair>()
  #isCut = false

  constructor(target: Target) {
    this.#target = target
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
      const pair: Pair = new Pair(near, this.#target, () => this.#pairs.delete(pair))
      this.#pairs.add(pair)
      if (!this.#isCut) pair.flow()
    })
  }

  /** The port that it listens on, on this machine alone. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject)
      this.#server.listen(0, "127.0.0.1", () => resolve((this.#server.address() as net.AddressInfo).port))
    })
  }

  cut(): void {
    this.#isCut = true
    for (const pair of this.#pairs) pair.hold()
  }

  heal(): void {
    this.#isCut = false
    for (const pair of this.#pairs) pair.flow()
  }

  close(): void {
    this.#server.close()
    for (const pair of this.#pairs) pair.end()
  }
}

/** One connection, and the one to the database that belongs to it, dialled when it first flows. */
class Pair {
  readonly #near: net.Socket
  readonly #target: Target
  readonly #forget: () => void
  #far: net.Socket | undefined
  #isFlowing = false
  /** An end has gone. */
  #isOver = false

  constructor(near: net.Socket, target: Target, forget: () => void) {
    this.#near = near
    this.#target = target
    this.#forget = forget
    this.#watch(near)
  }

  flow(): void {
    this.#isFlowing = true
    if (this.#isOver) return this.end()
    if (this.#far === undefined) {
      const far = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
      this.#far = far
      this.#near.setNoDelay(true)
      this.#watch(far)
      this.#pass(this.#near, far)
      this.#pass(far, this.#near)
    }
    this.#near.resume()
    this.#far.resume()
  }

  hold(): void {
    this.#isFlowing = false
    this.#near.pause()
    this.#far?.pause()
  }

  end(): void {
    this.#near.destroy()
    this.#far?.destroy()
    this.#forget()
  }

  #pass(from: net.Socket, to: net.Socket): void {
    from.on("data", (bytes: Buffer) => {
      if (to.write(bytes)) return
      from.pause()
      to.once("drain", () => {
        if (this.#isFlowing) from.resume()
      })
    })
    from.on("end", () => to.end())
  }

  #watch(socket: net.Socket): void {
    const over = (): void => {
      this.#isOver = true
      if (this.#isFlowing) this.end()
    }
    // What broke a connection is for its ends to say; "close" follows.
    socket.on("error", over)
    socket.on("close", over)
  }
}
