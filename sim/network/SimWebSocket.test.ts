import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { optionsOf, WsTransport } from "../../adapters/websocket/WsTransport.ts"
import type { Transport } from "../../core/socket/LiveSocket.ts"
import { World } from "../run/World.ts"
import { listen } from "./Connection.ts"
import { sendFrame, type HttpFrame } from "./HttpFrame.ts"
import { SimWebSocket } from "./SimWebSocket.ts"
import type { WebSocketFrame } from "./WebSocketFrame.ts"

const frameBytesMax = 1_000

type Step = { readonly end: "caller" | "server" } & (
  | { readonly does: "say"; readonly text: string }
  | { readonly does: "send"; readonly bytes: number }
  | { readonly does: "close"; readonly code: number | undefined; readonly reason: string }
  | { readonly does: "terminate" | "pause" | "resume" | "ping" }
)

const step: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom("caller" as const, "server" as const),
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ does: fc.constant("say" as const), text: fc.string({ unit: "grapheme" }) }) },
      { weight: 3, arbitrary: fc.record({ does: fc.constant("send" as const), bytes: fc.nat({ max: 1_003 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          does: fc.constant("close" as const),
          code: fc.constantFrom(undefined, 1000, 1001, 1005, 1011, 3000, 4999, 5000),
          reason: fc.constantFrom("", "why", "x".repeat(124))
        })
      },
      {
        weight: 4,
        arbitrary: fc.record({ does: fc.constantFrom("pause" as const, "resume" as const, "ping" as const) })
      },
      { weight: 1, arbitrary: fc.record({ does: fc.constant("terminate" as const) }) }
    )
  )
  .map(([end, what]) => ({ end, ...what }))

/** What one end is told. */
const listenTo = (transport: Transport): Array<string> => {
  const told: Array<string> = []
  transport.addEventListener("message", ({ data }) =>
    told.push(typeof data === "string" ? `text ${data}` : `${(data as Uint8Array | ArrayBuffer).byteLength} bytes`)
  )
  transport.addEventListener("error", () => told.push("error"))
  transport.addEventListener("close", ({ code, reason }) => told.push(`close ${code} ${String(reason)}`))
  return told
}

const act = (transport: Transport, step: Step, told: Array<string>): void => {
  try {
    switch (step.does) {
      case "say":
        return transport.send(step.text)
      case "send":
        return transport.send(new Uint8Array(step.bytes))
      case "close":
        return transport.close(step.code, step.reason)
      default:
        return transport[step.does]()
    }
  } catch (error) {
    told.push(`refused: ${(error as Error).name}`)
  }
}

interface Outcome {
  readonly caller: ReadonlyArray<string>
  readonly server: ReadonlyArray<string>
  readonly states: ReadonlyArray<number>
}

interface Pair {
  readonly caller: Transport
  readonly server: Transport
}

/** Both ends are in one process, so what was written is there at the next turns of the loop. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const onNode = async (steps: ReadonlyArray<Step>): Promise<Outcome> => {
  const http = createServer()
  const sockets = new NodeWS.WebSocketServer({ noServer: true, ...optionsOf(frameBytesMax) })
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`
  const pair = await new Promise<Pair>((resolve) => {
    const opened: { caller?: Transport; server?: Transport } = {}
    const check = () => {
      if (opened.caller !== undefined && opened.server !== undefined) resolve(opened as Pair)
    }
    http.on("upgrade", (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (ws) => {
        opened.server = new WsTransport(ws, socket)
        check()
      })
    )
    const ws = new NodeWS.WebSocket(url, optionsOf(frameBytesMax))
    const caller = new WsTransport(ws)
    ws.on("open", () => {
      opened.caller = caller
      check()
    })
  })
  const [caller, server] = [listenTo(pair.caller), listenTo(pair.server)]
  for (const step of steps) {
    act(pair[step.end], step, step.end === "caller" ? caller : server)
    await turns()
  }
  const outcome = {
    caller: [...caller],
    server: [...server],
    states: [pair.caller.readyState, pair.server.readyState]
  }
  pair.caller.terminate()
  pair.server.terminate()
  await new Promise((resolve) => http.close(resolve))
  return outcome
}

const simulated = (steps: ReadonlyArray<Step>): Outcome => {
  const world = new World({ seed: "1" })
  for (const name of ["caller", "server"]) world.addNode(name, Effect.never).start()
  const pair: { caller?: SimWebSocket; server?: SimWebSocket } = {}
  listen(world.network, world.node("server"), 80, (end) => ({
    onMessage: (frame: HttpFrame | WebSocketFrame) => {
      if (pair.server !== undefined) return pair.server.receive(frame)
      sendFrame(end, { _tag: "Response", status: 101, headers: {}, body: undefined, hasMore: false })
      pair.server = SimWebSocket.accept(end, frameBytesMax)
    },
    onClose: (reason) => pair.server?.onClose(reason)
  }))
  const url = new URL("ws://server")
  pair.caller = SimWebSocket.connect(world.network, world.node("caller"), { url, headers: {}, frameBytesMax })
  world.run("1s")
  const { caller: calling, server: serving } = pair
  assert.isDefined(calling)
  assert.isDefined(serving)
  const ends = { caller: calling as SimWebSocket, server: serving as SimWebSocket }
  const [caller, server] = [listenTo(ends.caller), listenTo(ends.server)]
  for (const step of steps) {
    act(ends[step.end], step, step.end === "caller" ? caller : server)
    world.run("100ms")
  }
  return { caller, server, states: [ends.caller.readyState, ends.server.readyState] }
}

describe("a simulated WebSocket", () => {
  it("tells both ends what one of Node tells them, whatever they do", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        assert.deepStrictEqual(simulated(steps), await onNode(steps))
      }),
      { numRuns: 300 }
    ))

  it("hears a hundred pings at once, after it has read nothing for a while, and goes on; so does one of Node", async () => {
    const steps: ReadonlyArray<Step> = [
      { end: "server", does: "pause" },
      ...Array.from({ length: 100 }, (): Step => ({ end: "caller", does: "ping" })),
      { end: "server", does: "resume" },
      { end: "caller", does: "say", text: "still here" }
    ]
    const expected: Outcome = { caller: [], server: ["text still here"], states: [1, 1] }
    assert.deepStrictEqual(simulated(steps), expected)
    assert.deepStrictEqual(await onNode(steps), expected)
  })
})
