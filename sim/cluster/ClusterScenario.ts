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
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { ShardFence } from "../../core/cluster/ShardFence.ts"
import type { AnyInvariant, Check } from "../../core/invariants/Invariant.ts"
import { leaseRows } from "../../core/invariants/leaseRows.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import { kindsOf } from "../nemesis/faultKinds.ts"
import { outages } from "../nemesis/kinds/outage.ts"
import { pause } from "../nemesis/kinds/process.ts"
import { askedMarks, askedScenario, isAskedTwice, untilAnswered } from "../outside/askedScenario.ts"
import { cameUp } from "../outside/launched.ts"
import { asks } from "../outside/asks.ts"
import { misuseOf, refusing } from "../outside/misuse.ts"
import {
  FencedResource,
  noStaleWrites,
  OutsideResource,
  staleRefused,
  writtenOutside
} from "../outside/OutsideResource.ts"
import * as Scenario from "../run/Scenario.ts"
import type { World } from "../run/World.ts"
import * as ClusterKit from "./ClusterKit.ts"
import * as ClusterStore from "./ClusterStore.ts"
import * as FencedStore from "./FencedStore.ts"
import { shardExclusion } from "./shardExclusion.ts"

interface Options extends Pick<Scenario.Scenario, "name" | "story" | "isAsync"> {
  /**
   * What a client asks for by one key: the same key asks for the same. Asked again a second after it failed, whatever with, and once more
   * after it was answered where `answersAgree` is to hold.
   */
  readonly ask?: (key: string, nth: number) => Effect.Effect<unknown, unknown, ClusterKit.Provided>
  /** How often. Default 40. */
  readonly asks?: number
  /** How many runners, at least and at most. Default 2 and 3. */
  readonly runners?: readonly [minimum: number, maximum: number]
  /** In place of the defaults of `ShardingConfig`, but for 12 shards with row locks. */
  readonly config?: Partial<ShardingConfig.ShardingConfig["Service"]>
  /** After how long a silence connections to the store are kept alive: `keepAlive` of `PgClient`. Default: not at all, as there. */
  readonly keepAliveMillis?: number
  /** How runners and clients reach each other: `KitOptions`. Default "sockets". */
  readonly peers?: "sockets" | "store"
  /** Default: `noStaleWrites`; where shards are fenced, that no two runners act under one and that epochs rise, too. */
  readonly invariants?: ReadonlyArray<Check | AnyInvariant>
  /** What may strike. Default: `kinds`. */
  readonly kinds?: ReadonlyArray<FaultKind>
  /** How long faults act. Default 200 s. */
  readonly safetyMillis?: number
  /** How long after the last fault everything must have been answered. Default: no matter. */
  readonly answeredWithinMillis?: number
}

export interface ClusterScenarioOptions<E> extends Options {
  /** What every runner runs: entities, singletons, workflows. */
  readonly program: (outside: OutsideResource) => Layer.Layer<never, E, ClusterKit.Provided>
}

export interface FencedScenarioOptions<E> extends Options {
  /** What every runner runs, on the shards of `ShardFence`. */
  readonly program: (outside: FencedResource) => Layer.Layer<never, E, ClusterKit.Provided | ShardFence>
}

export const make = <E>({ program, ...options }: ClusterScenarioOptions<E>): Scenario.Scenario => {
  const problem = misused("ClusterScenario.make", { program, ...options })
  if (problem !== undefined) return refusing(options, problem)
  return assembled({ ...options, invariants: options.invariants ?? [noStaleWrites] }, (world, how) => {
    if (world.databases.sql === undefined) ClusterKit.requireRowLocks(options.name, how.config)
    ClusterStore.start(world)
    const kit = { ...how, stores: ClusterStore.layer(world, keptAlive(options)) }
    const running = program(new OutsideResource())
    return { client: kit, runner: (name) => ClusterKit.runner(world, name, running, kit) }
  })
}

/** The same with fenced shards and a resource that compares epochs: for a seed the same plan, so that one shows what the other cures. */
export const makeFenced = <E>({ program, ...options }: FencedScenarioOptions<E>): Scenario.Scenario => {
  const problem = misused("ClusterScenario.makeFenced", { program, ...options })
  if (problem !== undefined) return refusing(options, problem)
  const scenario = assembled({ ...options, invariants: options.invariants ?? fencedInvariants }, (world, how) => {
    FencedStore.start(world)
    const kit = { ...how, stores: FencedStore.layer(world, keptAlive(options)) }
    const running = program(new FencedResource())
    return { client: kit, runner: (name) => ClusterKit.runner(world, name, running, kit) }
  })
  return { ...scenario, marks: [...new Set([...scenario.marks, writtenOutside, staleRefused])] }
}

const misused = (maker: string, options: object): string | undefined =>
  misuseOf({ maker, sizedBy: "runners", required: ["program"], options })

const keptAlive = ({ keepAliveMillis }: Options): ClusterStore.StorageOptions => ({ keepAliveMillis })

const fencedInvariants: ReadonlyArray<AnyInvariant> = [noStaleWrites, shardExclusion, leaseRows]

interface Cluster {
  readonly client: ClusterKit.ClientOptions
  readonly runner: (name: string) => SimNode
}

const assembled = (
  options: Options & { readonly invariants: ReadonlyArray<Check | AnyInvariant> },
  started: (world: World, how: Pick<ClusterKit.KitOptions, "config" | "peers">) => Cluster
): Scenario.Scenario => {
  const { answeredWithinMillis, ask, invariants, kinds: allowed = kinds, safetyMillis = 200_000 } = options
  return Scenario.make({
    name: options.name,
    story: options.story,
    isAsync: options.isAsync ?? false,
    parameters: { runners: options.runners ?? [2, 3] },
    ...askedScenario({ kinds: allowed, safetyMillis, answeredWithinMillis }),
    build: (world, { runners }) => {
      const config = { shardsPerGroup: 12, shardLockDisableAdvisory: true, ...options.config }
      const cluster = started(world, { config, peers: options.peers })
      for (let nth = 1; nth <= runners!; nth++) cluster.runner(`r${nth}`).start()
      if (ask !== undefined) {
        const how = { count: options.asks ?? 40, safetyMillis, isAskedTwice: isAskedTwice(invariants) }
        const asked = asks(world, how, ask)
        const mustEnd = answeredWithinMillis !== undefined
        ClusterKit.client(world, "client", asked, { ...cluster.client, mustEnd }).start()
      }
      return untilAnswered(world)
    },
    invariants,
    marks: [cameUp, ...(ask === undefined ? [] : askedMarks(invariants))]
  })
}

/** Of network, processes, clocks and the store; pauses and silences are drawn longer than elsewhere, since locks of shards last long. */
export const kinds: ReadonlyArray<FaultKind> = [
  ...kindsOf("network", "process", "clock", "storage/server-restart").filter(({ name }) => name !== pause.name),
  ...outages("cluster", "store")
]
