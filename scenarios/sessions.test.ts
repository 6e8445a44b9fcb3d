/** Sessions of agents that go wrong in time: who says nothing, who takes nothing, and frames that are lost with their connection. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Socket from "effect/socket/Socket"
import * as Client from "../core/client/Client.ts"
import { closeCodeOf } from "../core/client/redial.ts"
import { all } from "../core/invariants/all.ts"
import { sessionHelloTimeoutMillis, sessionWriteTimeoutMillis } from "../core/Limits.ts"
import * as Dial from "../core/ports/Dial.ts"
import { encode, version } from "../core/session/SessionFrame.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import { pass, reset } from "../sim/network/Network.ts"
import * as SimDial from "../sim/network/SimDial.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import { persist, putFleet } from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import * as WhoWrites from "./whoWrites.fixture.ts"

/** Of each end of a connection, from its first. */
const messages = 8

interface End {
  readonly code: number | undefined
  readonly message: string
  readonly afterMillis: number
}

const hello = encode({ _tag: "Hello", version, host: "h1", process: "p1", isKnown: false })
const report = (number: number) => encode({ _tag: "Report", number, reports: [] })

/**
 * How the session of an agent ends for which there is much to do, and which, once it is open, does as it is told to, and hears nothing before it has
 * done.
 */
const endOf = (
  does: (talk: Pick<Socket.Writer, "write"> & Pick<Socket.Reader, "pull">) => Effect.Effect<unknown, Socket.SocketError>
): End => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const { addresses } = Cluster.build(world, { nodes: 1, runsOnAgents: true })
  let end: End | undefined
  const agent = Effect.gen(function* () {
    yield* Effect.sleep("8 seconds")
    const client = yield* Client.make(addresses[0]!)
    const payload = { desired: 50, spec: { image: "i".repeat(200), size: "small" as const } }
    const params = { project: "shop", name: "web" }
    yield* client.fleets.put({ params, query: {}, headers: { "idempotency-key": "k" }, payload })
    const socket = yield* Dial.dial(`${addresses[0]!.replace("http", "ws")}/v1/agents/a1/session`, { headers: {} })
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    const openedMicros = world.nowMicros
    const error = yield* Effect.flip(Effect.andThen(does({ pull, write }), Effect.forever(pull)))
    const afterMillis = (world.nowMicros - openedMicros) / 1_000
    end = { code: error._tag === "SocketError" ? closeCodeOf(error) : undefined, message: error.message, afterMillis }
  })
  const network = Layer.merge(SimDial.layer(), SimHttpClient.layer)
  world.addNode("a1", Effect.provide(Effect.scoped(agent), network), { mustEnd: true }).start()
  for (let second = 0; second < 60 && world.unended.length > 0; second++) world.run("1s")
  assert.deepStrictEqual([world.unended, world.ending], [[], undefined])
  return end!
}

describe("a session", () => {
  it("whose agent says no hello is ended with 4408 when its time is over", () => {
    const { afterMillis, code, message } = endOf(() => Effect.void)
    assert.strictEqual(code, 4408, message)
    assert.include(message, "no hello came in time")
    assert.isAtLeast(afterMillis, sessionHelloTimeoutMillis - 100)
    assert.isAtMost(afterMillis, sessionHelloTimeoutMillis + 500)
  })

  it("whose agent takes nothing of what it is told is ended with 4408, and not while it takes something", () => {
    const readMillis = 6_000
    const { afterMillis, code, message } = endOf(({ pull, write }) =>
      Effect.gen(function* () {
        yield* write(hello)
        for (let number = 1; number <= 3; number++) {
          yield* write(report(number))
          yield* Effect.timeoutOption(Effect.forever(pull), readMillis / 3)
        }
        // Each is answered with all that there is to do, some 15 kB.
        for (let number = 4; number <= 40; number++) yield* write(report(number))
        yield* Effect.sleep(2 * sessionWriteTimeoutMillis)
      })
    )
    assert.strictEqual(code, 4408, message)
    assert.include(message, "what the agent is told is not taken")
    // Whoever reads slowly is not ended: it was answered for all that time.
    assert.isAtLeast(afterMillis, readMillis + sessionWriteTimeoutMillis)
  })
})

describe("a frame of a session that is lost with its connection", () => {
  // covers A16
  it("is made up for, whichever it is, from either end: nothing runs twice and nothing is forgotten", () => {
    const world = new World({ seed: "1", strategy: Schedule.random })
    const cluster = Cluster.build(world, { nodes: 2, agents: 1, runsOnAgents: true })
    const { found, written } = WhoWrites.follow(world)
    const violations: Array<string> = []
    let opened = 0
    for (const { name, start } of all) {
      const judge = start()
      world.subscribe((envelope) => {
        const violation = judge.step(envelope)
        if (violation !== undefined) violations.push(`${name}: ${violation.message}`)
      })
    }
    world.subscribe(({ fact }) => {
      if (fact._tag === "SessionOpened") opened++
    })
    const asking = { isStopped: false }
    const scale = Effect.gen(function* () {
      const client = yield* Client.make(cluster.addresses[0]!)
      for (let nth = 1; !asking.isStopped; nth++) {
        yield* persist(putFleet(`scale-${nth}`, "web", nth % 2 === 0 ? 1 : 3), () => Effect.succeed({ client, nth }))
        yield* Effect.sleep("4 seconds")
      }
    })
    world.addNode("operator", Effect.provide(scale, SimHttpClient.layer), { tags: ["client"], mustEnd: true }).start()
    world.run("10s")
    const lost = Array.from({ length: 2 * messages }, (_, index) => ({ isOfAgent: index % 2 === 0, nth: index >> 1 }))
    const counts = new Map<string, number>()
    const remove = world.network.addRule({
      fault: "network/reset",
      onPacket: ({ connection, lane, source, target }) => {
        const isOfAgent = source === "agent-1"
        if (lane !== "segment" || (!isOfAgent && target !== "agent-1")) return pass
        const flow = `${source}>${target}/${connection}`
        const nth = counts.get(flow) ?? 0
        counts.set(flow, nth + 1)
        if (lost[0]?.isOfAgent !== isOfAgent || lost[0].nth !== nth) return pass
        lost.shift()
        return reset
      }
    })
    for (let round = 0; round < 100 && lost.length > 0; round++) world.run("5s")
    remove()
    asking.isStopped = true
    assert.isEmpty(lost)
    // Those that were struck before their welcome were not open yet.
    assert.isAtLeast(opened, messages)
    for (let round = 0; round < 60 && cluster.settled() !== true; round++) world.run("10s")
    assert.deepEqual([violations, cluster.settled(), [...found]], [[], true, []])
    assert.containsAllKeys(written, ["placements.+", "placements.observed", "agents.incarnation", "instances.agent"])
  })
})
