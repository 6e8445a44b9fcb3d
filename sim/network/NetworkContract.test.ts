import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { emit } from "../../core/facts/Facts.ts"
import { LawBroken, laws, type NetworkWorld, type Process } from "../../core/socket/NetworkContract.fixture.ts"
import * as Programs from "../../core/socket/NetworkPrograms.fixture.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { World } from "../run/World.ts"
import { drop, hold, pass, reset, type Verdict } from "./Network.ts"
import * as SimDial from "./SimDial.ts"
import * as SimHttpClient from "./SimHttpClient.ts"
import * as SimHttpServer from "./SimHttpServer.ts"

/** The programs of the contract as nodes of one world under virtual time. */
const simulated = (seed: string): NetworkWorld => {
  const world = new World({ seed })
  const lines = new Map<string, Array<string>>()
  world.subscribe(({ fact, node }) => {
    if (fact._tag === "Said") lines.get(node)?.push((fact as unknown as { what: string }).what)
  })
  const say = Layer.succeed(Programs.Say, (what: string) => emit({ _tag: "Said", what }))
  const serving = Programs.server.pipe(
    Layer.provide(SimHttpServer.layer({ port: 8080, socketLimits: Programs.serverLimits })),
    Layer.provide(say)
  )
  const outside = Layer.mergeAll(SimDial.layer(Programs.clientLimits), SimHttpClient.layer, say)
  let server: SimNode | undefined
  const callers: Array<string> = []
  const isBetween = (source: string, target: string) =>
    (source === "server" && callers.includes(target)) || (target === "server" && callers.includes(source))
  const rule = (verdict: Verdict) =>
    world.network.addRule({
      fault: "test/rule",
      onPacket: ({ source, target }) => (isBetween(source, target) ? verdict : pass)
    })
  const processOf = (node: SimNode): Process => ({
    name: node.name,
    said: () => lines.get(node.name) ?? [],
    stop: Effect.sync(() => node.stop(30_000_000)),
    kill: Effect.sync(() => node.crash("killed")),
    freeze: Effect.sync(() => node.pause()),
    thaw: Effect.sync(() => node.resume()),
    memoryMiB: () => undefined
  })
  return {
    serve: Effect.sync(() => {
      lines.set("server", [])
      server ??= world.addNode("server", Layer.launch(serving))
      server.start()
      return processOf(server)
    }),
    vacant: Effect.sync(() => world.addNode("server", Effect.never).start()),
    call: (caller, input) =>
      Effect.sync(() => {
        const name = `caller-${callers.length}`
        callers.push(name)
        lines.set(name, [])
        const node = world.addNode(
          name,
          Effect.provide(Programs.callerOf(caller)({ ...input, at: "server:8080" }), outside)
        )
        world.run("10ms")
        node.start()
        return processOf(node)
      }),
    cut: Effect.sync(() => void rule(drop)),
    clog: Effect.sync(() => {
      const release = rule(hold)
      return Effect.sync(() => {
        world.run("1s")
        release()
      })
    }),
    reset: Effect.sync(() => void rule(reset)),
    messagesMany: 256,
    connections: () => callers.reduce((count, caller) => count + world.network.link(caller, "server").connections, 0),
    until: (what, holds) =>
      Effect.suspend(() => {
        for (let step = 0; step < 2_400 && !holds(); step++) world.run("25ms")
        return holds() ? Effect.void : Effect.fail(new LawBroken({ message: `${what}: not within a minute` }))
      })
  }
}

describe("the laws of the network hold on simulated links", () => {
  for (const law of laws) {
    it.effect(law.name, () => Effect.forEach(["1", "2", "3"], (seed) => law.holds(simulated(seed)), { discard: true }))
  }
})
