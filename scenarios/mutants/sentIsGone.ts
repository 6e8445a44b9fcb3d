import type { Mutant } from "./Mutant.ts"

export const sentIsGone: Mutant = {
  name: "sent-is-gone",
  why: "What was given to a WebSocket counts as gone, though the kernel has not taken it.",
  incident: "ws #1830: memory grows while a client's network is slow",
  suite: { file: "adapters/websocket/WebSocketDial.test.ts", test: "takes nothing" },
  edits: [
    {
      file: "adapters/websocket/WsTransport.ts",
      find: "    this.#pendingBytes += bytes",
      replace: "    this.#pendingBytes += 0 * bytes"
    }
  ]
}
