/**
 * The workload over Effect's sockets, as a service would speak: each host opens a connection to every other, a message is a line of
 * JSON, encoded by its sender and decoded by its receiver.
 */
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as SimSocket from "../network/SimSocket.ts"
import * as SimSocketServer from "../network/SimSocketServer.ts"
import { type MeshWorld, runMesh } from "./meshWorld.ts"
import { beatMillis, type Message, type Workload } from "./Workload.ts"

const port = 7000

/** Returns how many messages were delivered. */
export const socketMesh = (workload: Workload, options: { readonly hasDigest: boolean }): number => {
  const names = Array.from({ length: workload.hosts }, (_, host) => `host-${host}`)
  return runMesh(workload, options, (mesh, host) => {
    const others = names.filter((_name, other) => other !== host)
    const answering = Effect.flatMap(SocketServer.SocketServer, (server) =>
      server.run((socket) =>
        Effect.gen(function* () {
          const { write } = yield* socket.writer
          return yield* receive(socket, mesh, ({ nth }) => write(frame({ kind: "pong", from: host, nth })))
        }).pipe(Effect.scoped)
      )
    )
    const beating = Effect.gen(function* () {
      const sockets = yield* Effect.forEach(others, (other) => SimSocket.make({ host: other, port }))
      for (const socket of sockets) yield* Effect.forkChild(Effect.scoped(receive(socket, mesh, () => Effect.void)))
      const writers = yield* Effect.forEach(sockets, ({ writer }) => writer)
      for (let nth = 1; ; nth++) {
        yield* Effect.sleep(beatMillis)
        const ping = frame({ kind: "ping", from: host, nth })
        for (const { write } of writers) yield* write(ping)
      }
    }).pipe(Effect.scoped)
    return Effect.all([answering, beating], { concurrency: "unbounded" }).pipe(
      Effect.provide(SimSocketServer.layer({ port }))
    )
  })
}

const frame = (message: Message): string => `${JSON.stringify(message)}\n`

const receive = (
  socket: Socket.Socket,
  mesh: MeshWorld,
  handle: (message: Message) => Effect.Effect<void, Socket.SocketError>
) =>
  Effect.flatMap(Socket.readerString(socket), (pull) => {
    let rest = ""
    const handleLine = (line: string) => {
      mesh.delivered++
      return handle(JSON.parse(line) as Message)
    }
    return Effect.forever(
      Effect.flatMap(pull, (texts) => {
        const lines = (rest + texts.join("")).split("\n")
        rest = lines.pop() as string
        return lines.length === 1
          ? handleLine(lines[0] as string)
          : Effect.forEach(lines, handleLine, { discard: true })
      }),
      { disableYield: true }
    )
  })
