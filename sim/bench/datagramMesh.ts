/**
 * The workload on the datagram lane of the simulator: Effect programs on simulated nodes, with rules, causes and digest.
 */
import * as Effect from "effect/Effect"
import { Datagrams, layer } from "../network/Datagrams.ts"
import { beatMillis, type Message, type Workload } from "./Workload.ts"
import { type MeshWorld, runMesh } from "./meshWorld.ts"

/** Returns how many messages were delivered. */
export const datagramMesh = (workload: Workload, options: { readonly hasDigest: boolean }): number => {
  const names = Array.from({ length: workload.hosts }, (_, host) => `host-${host}`)
  return runMesh(workload, options, (mesh: MeshWorld, host) => {
    const others = names.filter((_name, other) => other !== host)
    const program = Effect.gen(function* () {
      const { receive, send } = yield* Datagrams
      yield* Effect.forkChild(
        Effect.gen(function* () {
          for (let nth = 1; ; nth++) {
            yield* Effect.sleep(beatMillis)
            const ping: Message = { kind: "ping", from: host, nth }
            for (const other of others) yield* send(other, ping)
          }
        })
      )
      for (;;) {
        const datagram = yield* receive
        const message = datagram.message as Message
        mesh.delivered++
        if (message.kind === "ping") yield* send(datagram.from, { kind: "pong", from: host, nth: message.nth })
      }
    })
    return Effect.provide(program, layer)
  })
}
