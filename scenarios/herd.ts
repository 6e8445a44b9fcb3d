/**
 * A herd: all nodes are restarted at once, and all agents dial again. The agents are light: they say hello, are welcomed, and stay; many
 * share a host.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { closeCodeOf, pauseMillis, retryAfterSecondsOf } from "../core/client/redial.ts"
import { emit } from "../core/facts/Facts.ts"
import { all } from "../core/invariants/all.ts"
import * as Dial from "../core/ports/Dial.ts"
import type { SessionOpened } from "../core/session/SessionFacts.ts"
import { encode, version } from "../core/session/SessionFrame.ts"
import * as SimDial from "../sim/network/SimDial.ts"
import * as Scenario from "../sim/run/Scenario.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import { plan } from "./ControlPlaneScenario.ts"

/** Of each node: an agent in 66 each second, so that three need 22 s for all of them, however many they are. */
const perSecondOf = (agents: number) => Math.max(1, Math.ceil(agents / 66))
const agentsPerHost = 100
const restartAtMicros = 25_000_000
/** From the restart until everybody is back: the 22 s, a second for the restart, and as much for the last to try again. */
const backWithinMicros = 45_000_000

/** `count` of them; `npx stormglass list` has the one of a hundred. */
export const herdOf = (name: string, count: number): Scenario.Scenario =>
  Scenario.make({
    name,
    story: `Many agents have sessions with three nodes. All nodes are killed at once and start again, and everybody dials anew. No node takes more
handshakes a second than its limit, and everybody is back in little more than the time that the limits leave.`,
    safetyMillis: (restartAtMicros + backWithinMicros) / 1_000,
    build: (world) => {
      const perSecond = perSecondOf(count)
      const admission = { perSecond, burst: Math.ceil(perSecond / 4), sessionsMax: 20_000 }
      const { addresses } = Cluster.build(world, { nodes: 3, admission })
      for (let from = 0; from < count; from += agentsPerHost) {
        const ids = Array.from({ length: Math.min(agentsPerHost, count - from) }, (_, index) => `light-${from + index}`)
        const program = Effect.forEach(ids, (id, index) => stays(id, addresses, index), {
          concurrency: "unbounded",
          discard: true
        })
        const dials = SimDial.layer({ pingIntervalMillis: 20_000 })
        world.addNode(`host-${from / agentsPerHost}`, Effect.provide(program, dials)).start()
      }
      const back = new Map<string, number>()
      world.subscribe(({ atMicros, fact }) => {
        if (fact._tag !== "SessionOpened" || atMicros < restartAtMicros) return
        const { agent } = fact as SessionOpened
        if (!back.has(agent)) back.set(agent, atMicros)
      })
      return {
        converged: () => {
          const inTime = [...back.values()].filter((atMicros) => atMicros <= restartAtMicros + backWithinMicros).length
          return inTime === count || `${count - inTime} of ${count} agents were not back in time`
        }
      }
    },
    faults: () => plan({ when: { at: "25s" }, target: "all(control-plane)", fault: "process/kill", for: "500ms" }),
    invariants: all,
    liveness: { withinMillis: 5_000, quietMillis: 0, noise: () => false }
  })

export const herd = herdOf("sessions/herd-after-a-restart", 100)

/** Opens a session, stays while it lasts, and dials again. */
const stays = (id: string, addresses: ReadonlyArray<string>, first: number) =>
  Effect.gen(function* () {
    let failures = 0
    let isKnown = false
    // They did not start together.
    yield* Effect.sleep((yield* Random.next) * 5_000)
    for (let nth = first; ; nth++) {
      const address = addresses[nth % addresses.length]!
      const session = Effect.gen(function* () {
        const socket = yield* Dial.dial(`${address.replace(/^http/, "ws")}/v1/agents/${id}/session`, { headers: {} })
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* write(encode({ _tag: "Hello", version, host: id, process: id, isKnown }))
        yield* Effect.timeout(pull, "5 seconds")
        isKnown = true
        failures = 0
        yield* emit<SessionOpened>({ _tag: "SessionOpened", agent: id, address, incarnation: 0 })
        return yield* Effect.forever(pull)
      })
      const error = yield* Effect.flip(Effect.scoped(session))
      failures++
      const retryAfterSeconds = error._tag === "SocketError" ? retryAfterSecondsOf(error) : 0
      yield* Effect.logDebug(
        `${id}: ${error._tag === "SocketError" ? (closeCodeOf(error) ?? error.message) : error._tag}`
      )
      yield* Effect.sleep(pauseMillis({ failures, retryAfterSeconds, fraction: yield* Random.next }))
    }
  })
