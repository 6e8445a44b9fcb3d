/**
 * A scenario for a program of `effect/cluster` in a few lines: runners, a client that asks, a store, an outside resource, and the faults
 * that such clusters meet.
 *
 *   export const sweeping = ClusterScenario.make({
 *     name: "sweeping",
 *     story: "A singleton sweeps twice a second, and never at two places.",
 *     program: (outside) => Singleton.make("sweep", sweep(outside))
 *   })
 */
import type * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type Check, toCheck } from "../../core/invariants/Invariant.ts"
import type { Draw } from "../nemesis/Draw.ts"
import type { FaultKind, SwarmContext } from "../nemesis/FaultKind.ts"
import type { Fault, FaultPlan } from "../nemesis/FaultPlan.ts"
import { kindsOf } from "../nemesis/faultKinds.ts"
import { moments, pause, roughly, victimTag } from "../nemesis/kinds/process.ts"
import * as Swarm from "../nemesis/Swarm.ts"
import * as Scenario from "../run/Scenario.ts"
import type { World } from "../run/World.ts"
import * as ClusterKit from "./ClusterKit.ts"
import * as ClusterStore from "./ClusterStore.ts"
import { asking, noStaleWrites, OutsideResource } from "../outside/OutsideResource.ts"

export interface ClusterScenarioOptions<E> extends Pick<Scenario.Scenario, "name" | "story"> {
  /** What every runner runs: entities, singletons, workflows. */
  readonly program: (outside: OutsideResource) => Layer.Layer<never, E, ClusterKit.Provided>
  /** What a client asks for by one key: the same key asks for the same. Asked again a second after it failed, whatever with. */
  readonly ask?: (key: string, nth: number) => Effect.Effect<unknown, unknown, ClusterKit.Provided>
  /** How often. Default 40. */
  readonly asks?: number
  /** How many runners, at least and at most. Default 2 and 3. */
  readonly runners?: readonly [minimum: number, maximum: number]
  /** In place of the defaults of `ShardingConfig`, but for 12 shards with row locks. */
  readonly config?: Partial<ShardingConfig.ShardingConfig["Service"]>
  /** Default: `noStaleWrites`. */
  readonly invariants?: ReadonlyArray<Check>
  /** What may strike. Default: `kinds`. */
  readonly kinds?: ReadonlyArray<FaultKind>
  /** How long faults act. Default 200 s. */
  readonly safetyMillis?: number
  /** How long after the last fault everything must have been answered. Default: no matter. */
  readonly answeredWithinMillis?: number
}

export const make = <E>(options: ClusterScenarioOptions<E>): Scenario.Scenario => {
  const { answeredWithinMillis, ask, kinds: allowed = kinds, safetyMillis = 200_000 } = options
  return Scenario.make({
    name: options.name,
    story: options.story,
    parameters: { runners: options.runners ?? [2, 3] },
    safetyMillis,
    build: (world, { runners }) => {
      ClusterStore.start(world)
      const config = { shardsPerGroup: 12, shardLockDisableAdvisory: true, ...options.config }
      const program = options.program(new OutsideResource())
      for (let nth = 1; nth <= runners!; nth++) ClusterKit.runner(world, `r${nth}`, program, { config }).start()
      if (ask !== undefined) {
        const asked = asks(world, options.asks ?? 40, safetyMillis, ask)
        ClusterKit.client(world, "client", asked, { config, mustEnd: answeredWithinMillis !== undefined }).start()
      }
      return { converged: () => world.unended.length === 0 || "the client still waits for answers" }
    },
    faults: (draw, world) => faults(draw, world, allowed, safetyMillis * 1_000),
    invariants: options.invariants ?? [toCheck(noStaleWrites)],
    ...(answeredWithinMillis === undefined
      ? {}
      : { liveness: { withinMillis: answeredWithinMillis, quietMillis: 0, noise: () => false } })
  })
}

/** Spread over the safety phase; each is under way on its own. */
const asks = <R>(
  world: World,
  count: number,
  safetyMillis: number,
  ask: (key: string, nth: number) => Effect.Effect<unknown, unknown, R>
): Effect.Effect<void, never, R> =>
  Effect.forEach(
    Array.from({ length: count }, (_, nth) => nth),
    (nth) => {
      const key = `m${nth}`
      const dueMillis = ((nth + world.draw.child(key).fraction("due")) * safetyMillis) / count
      return Effect.suspend(() => (world.operation(key) ? asking(key, ask(key, nth)) : Effect.void)).pipe(
        Effect.delay(dueMillis)
      )
    },
    { concurrency: "unbounded", discard: true }
  )

// Kinds of this file only draw: what is in their plans are faults of the usual names.

/** A virtual machine that is suspended: often for longer than locks of shards last (35 s by default). */
const longPause: FaultKind = {
  ...pause,
  name: "cluster/long-pause",
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target: `random(${victimTag})`,
      fault: pause.name,
      for: roughly(own, 500_000, 90_000_000)
    }))
}

/** A connection on which nothing arrives any more and nothing is refused, for long: a lost route, a full table of a firewall. */
const silence = (context: SwarmContext, own: Draw): Omit<Fault, "when"> => ({
  target: own.pick("target", context.world.tagged(victimTag)),
  with: own.pick("with", ["store", `random(${victimTag})`]),
  fault: own.pick("fault", ["network/partition", "network/partition-one-way"]),
  for: roughly(own, 5_000_000, 90_000_000)
})

const longSilence: FaultKind = {
  ...kindNamed("network/partition"),
  name: "cluster/silence",
  draw: (draw, context) => moments(draw, context, 3, (own) => silence(context, own))
}

/** A process that wakes while its connections do not answer yet, as after the live migration of a virtual machine. */
const wakingAlone: FaultKind = {
  ...pause,
  name: "cluster/waking-alone",
  draw: (draw, context) => {
    const own = draw.child("alone")
    const target = own.pick("target", context.world.tagged(victimTag))
    const [paused] = moments(own, context, 1, (drawn) => ({
      target,
      fault: pause.name,
      for: roughly(drawn, 20_000_000, 60_000_000)
    }))
    const silent = roughly(own, 40_000_000, 90_000_000)
    return [paused!, { ...paused!, with: "store", fault: "network/partition", for: silent }]
  }
}

/** Of network, processes, clocks and the store; pauses and silences are drawn longer than elsewhere, since locks of shards last long. */
export const kinds: ReadonlyArray<FaultKind> = [
  ...kindsOf("network", "process", "clock", "storage/server-restart").filter(({ name }) => name !== pause.name),
  longPause,
  longSilence,
  wakingAlone
]

const faults = (draw: Draw, world: World, allowed: ReadonlyArray<FaultKind>, safetyMicros: number): FaultPlan =>
  Swarm.draw(draw, world, { kinds: allowed, safetyMicros })

function kindNamed(name: string): FaultKind {
  const [kind] = kindsOf(name)
  if (kind === undefined) throw new Error(`no kind of fault is named ${name}`)
  return kind
}
