/**
 * Effect counts the entities that a process is taking down in a variable of a module (`cluster/internal/interruptors.ts`, `counts`), which
 * all nodes of a simulation share, and all runs of a process: a node that dies meanwhile would leave its own for ever, and requests of others
 * would no longer be interrupted. Here each incarnation of a node counts its own, as a process does.
 */
import * as Entity from "effect/cluster/Entity"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { stillClock } from "./stillClock.ts"

type Counts = Map<string, number>

interface Own {
  readonly incarnation: number
  readonly counts: Counts
}

/** For all that runs from now on. Nothing is done where the loaded version of `effect/cluster` has no such counts, or where it was done. */
export const separate = (): void => {
  const shared = found()
  if (shared === undefined) return
  const { delete: deleteKey, get, has, set } = Map.prototype
  const owns = new WeakMap<SimNode, Own>()
  const present = (): Counts => {
    const fiber = Fiber.getCurrent()
    const node = fiber === undefined ? undefined : Option.getOrUndefined(Context.getOption(fiber.context, CurrentNode))
    if (node === undefined) return shared
    const own = owns.get(node)
    if (own?.incarnation === node.incarnation) return own.counts
    const counts: Counts = new Map()
    owns.set(node, { incarnation: node.incarnation, counts })
    return counts
  }
  Object.assign(shared, {
    delete: (key: string) => deleteKey.call(present(), key),
    get: (key: string) => get.call(present(), key) as number | undefined,
    has: (key: string) => has.call(present(), key),
    set: (key: string, count: number) => {
      set.call(present(), key, count)
      return shared
    }
  })
}

const probe = Entity.make("stormglass/sim/cluster/ownTeardowns", [])

/** The counts: where a client that ends says of which type it was. */
function found(): Counts | undefined {
  const key = `type:${probe.type}`
  const { set } = Map.prototype
  let counts: Counts | undefined
  const watching = function (this: Map<unknown, unknown>, name: unknown, value: unknown) {
    if (name === key) counts = this as Counts
    return set.call(this, name, value)
  }
  Reflect.set(Map.prototype, "set", watching)
  try {
    Effect.runSyncExit(clientThatEnds)
  } finally {
    Reflect.set(Map.prototype, "set", set)
  }
  return counts
}

const sharding = Sharding.layer.pipe(
  Layer.provide([Runners.layerNoop, RunnerHealth.layerNoop, RunnerStorage.layerMemory]),
  Layer.provide(MessageStorage.layerNoop),
  Layer.provide(ShardingConfig.layer({ runnerAddress: Option.none() }))
)

const clientThatEnds = Effect.provideService(
  Effect.scoped(Effect.provide(probe.client, sharding)),
  Clock.Clock,
  stillClock(() => Effect.never)
)
