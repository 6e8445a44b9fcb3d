/** What a node sees of the database while it is cut off, and after that. The server says back what it is told. */
import net from "node:net"
import { once } from "node:events"
import { afterEach, assert, describe, it } from "vitest"
import { DatabaseProxy } from "./DatabaseProxy.ts"

const closing: Array<() => void> = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** The server is told of each connection, and says back what it hears. */
async function echoed() {
  const accepted: Array<net.Socket> = []
  const server = net.createServer((socket) => {
    accepted.push(socket)
    socket.on("error", () => socket.destroy())
    socket.pipe(socket)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const proxy = new DatabaseProxy({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port })
  const port = await proxy.listen()
  closing.push(
    () => proxy.close(),
    () => server.close()
  )
  const dial = async () => {
    const socket = net.connect({ host: "127.0.0.1", port })
    closing.push(() => socket.destroy())
    await once(socket, "connect")
    let heard = ""
    socket.on("data", (bytes) => {
      heard += String(bytes)
    })
    const until = async (text: string): Promise<void> => {
      if (heard === text) return
      await once(socket, "data")
      await until(text)
    }
    return { socket, until, heard: () => heard }
  }
  return { proxy, dial, accepted }
}

/** Whatever was under way on this machine has arrived: another connection has gone there and back. */
async function settled(): Promise<void> {
  const { dial } = await echoed()
  const { socket, until } = await dial()
  for (let round = 1; round <= 5; round++) {
    socket.write(".")
    await until(".".repeat(round))
  }
}

describe("a database proxy", () => {
  it("passes bytes on, in both directions", async () => {
    const { dial } = await echoed()
    const { socket, until } = await dial()
    socket.write("one")
    await until("one")
    socket.write(" two")
    await until("one two")
    assert.isFalse(socket.destroyed)
  })

  it("passes nothing on while it is cut, closes nothing, and loses nothing", async () => {
    const { dial, proxy } = await echoed()
    const { heard, socket, until } = await dial()
    socket.write("before")
    await until("before")
    proxy.cut()
    socket.write(", meanwhile")
    await settled()
    assert.equal(heard(), "before")
    assert.isFalse(socket.destroyed)
    proxy.heal()
    await until("before, meanwhile")
  })

  it("lets a new connection in while it is cut, and connects it when it is healed", async () => {
    const { accepted, dial, proxy } = await echoed()
    proxy.cut()
    const { socket, until } = await dial()
    socket.write("hello")
    await settled()
    assert.lengthOf(accepted, 0)
    proxy.heal()
    await until("hello")
  })

  it("does not tell the database while it is cut that a node has gone, and does so afterwards", async () => {
    const { accepted, dial, proxy } = await echoed()
    const { socket, until } = await dial()
    socket.write("here")
    await until("here")
    const [server] = accepted
    const gone = once(server!, "close")
    proxy.cut()
    socket.resetAndDestroy()
    await settled()
    assert.isFalse(server!.destroyed)
    proxy.heal()
    await gone
  })

  it("tells the node that the database has gone", async () => {
    const { accepted, dial } = await echoed()
    const { socket, until } = await dial()
    socket.write("here")
    await until("here")
    accepted[0]!.resetAndDestroy()
    await once(socket, "close")
    assert.isTrue(socket.destroyed)
  })
})
