/** What is measured: each figure by itself in a fresh process. */
import { type Row, rows } from "../../../core/history/Porcupine.fixture.ts"
import type { Workload } from "../../../sim/bench/Workload.ts"
import type { FaultPlan } from "../../../sim/nemesis/FaultPlan.ts"

/** What one process found. `count` is what was done, in the figure's unit. */
export interface Work {
  readonly count: number
  /** Virtual time that passed, in seconds. */
  readonly virtualSeconds: number
  /** Facts that were told, where they are counted. */
  readonly facts?: number
  readonly runs?: number
  /** What the work took, where not all of it counts. */
  readonly millis?: number
  /** What the same took in another way, in the same process. */
  readonly baselineMillis?: number
  /** How long one of them took from end to end, where that is the question. */
  readonly latency?: { readonly medianMillis: number; readonly slowestOfHundredMillis: number }
}

export interface Figure {
  readonly name: string
  /** The table that it stands in. */
  readonly group: string
  /** The figure of the same group that it is compared with. */
  readonly baseline?: string
  /** The least ratio to the baseline that we promise; for virtual seconds per second, the least of those. */
  readonly target?: number
  /** The least that we promise of what is done in a second. */
  readonly targetPerSecond?: number
  readonly unit:
    | "messages"
    | "seeds"
    | "days"
    | "updates"
    | "requests"
    | "changes"
    | "logs"
    | "transactions"
    | "keys"
    | "moves"
    | "calls"
  /** With the flags of V8 that the launcher sets, as it is about the command. */
  readonly isLaunched?: true
  /** Loads what it needs, which is not measured, and returns the work, which is. */
  readonly load: () => Promise<() => Work | Promise<Work>>
}

const five: Workload = { hosts: 5, seconds: 600, isStorm: false }
const storm: Workload = { hosts: 5, seconds: 600, isStorm: true }
const twentyFive: Workload = { hosts: 25, seconds: 60, isStorm: false }

const mesh = (
  group: string,
  workload: Workload,
  targets: { readonly datagrams?: number; readonly sockets?: number }
) => {
  const done = (count: number): Work => ({ count, virtualSeconds: workload.seconds })
  const common = { group, baseline: "callback loop", unit: "messages" } as const
  const loop: Figure = {
    name: "callback loop",
    group,
    unit: "messages",
    load: async () => {
      const { callbackLoop } = await import("../../../sim/bench/callbackLoop.ts")
      return () => done(callbackLoop(workload))
    }
  }
  const datagrams: Figure = {
    name: "datagrams",
    ...common,
    ...(targets.datagrams === undefined ? {} : { target: targets.datagrams }),
    load: async () => {
      const { datagramMesh } = await import("../../../sim/bench/datagramMesh.ts")
      return () => done(datagramMesh(workload, { hasDigest: true }))
    }
  }
  const noDigest: Figure = {
    name: "datagrams, no digest",
    ...common,
    load: async () => {
      const { datagramMesh } = await import("../../../sim/bench/datagramMesh.ts")
      return () => done(datagramMesh(workload, { hasDigest: false }))
    }
  }
  const sockets: Figure = {
    name: "sockets, JSON lines",
    ...common,
    ...(targets.sockets === undefined ? {} : { target: targets.sockets }),
    load: async () => {
      const { socketMesh } = await import("../../../sim/bench/socketMesh.ts")
      return () => done(socketMesh(workload, { hasDigest: true }))
    }
  }
  // What a partition keeps from a connection comes later; what it keeps from a datagram is lost. The storm compares losses.
  return workload.isStorm ? [loop, datagrams, noDigest] : [loop, datagrams, noDigest, sockets]
}

const testClock: Figure = {
  name: "Effect TestClock",
  group: "mesh of 5 hosts",
  baseline: "callback loop",
  unit: "messages",
  load: async () => {
    const { testClockMesh } = await import("./testClockMesh.ts")
    const workload: Workload = { hosts: 5, seconds: 60, isStorm: false }
    return async () => ({ count: await testClockMesh(workload), virtualSeconds: workload.seconds })
  }
}

const idleDay: Figure = {
  name: "idle day",
  group: "whole cluster",
  unit: "days",
  // A day in 50 ms.
  target: 86_400 / 0.05,
  load: async () => {
    const { idleDay } = await import("../../../sim/bench/idleDay.ts")
    return () => ({ count: 1, virtualSeconds: idleDay() })
  }
}

const seedsOfStandard = 8

const standard: Figure = {
  name: "standard scenario",
  group: "whole cluster",
  unit: "seeds",
  target: 1_000,
  load: async () => {
    const { standard } = await import("../../../scenarios/standard.ts")
    const { faultKinds } = await import("../../../sim/nemesis/faultKinds.ts")
    const { runScenario } = await import("../../../sim/run/Simulation.ts")
    return () => {
      let virtualSeconds = 0
      let facts = 0
      for (let seed = 1; seed <= seedsOfStandard; seed++) {
        const request = { scenario: standard.name, seed: String(seed), strategy: "random" } as const
        const result = runScenario(standard, request, { kinds: faultKinds })
        if (result.verdict._tag !== "passed") throw new Error(`seed ${seed} ended ${JSON.stringify(result.verdict)}`)
        virtualSeconds += result.virtualMicros / 1e6
        facts += result.facts
      }
      return { count: seedsOfStandard, virtualSeconds, facts, runs: seedsOfStandard }
    }
  }
}

const noFaults: FaultPlan = { version: 1, faults: [] }

/** Two runners of `effect/cluster`: 200 virtual seconds a seed, on the fast twins of its storages or on those themselves. */
const cluster = (
  name: string,
  {
    areFaultsDrawn,
    isSql,
    seeds,
    target
  }: {
    readonly areFaultsDrawn: boolean
    readonly isSql: boolean
    readonly seeds: number
    readonly target: number
  }
): Figure => ({
  name,
  group: "effect/cluster, two runners",
  unit: "seeds",
  target,
  isLaunched: true,
  load: async () => {
    const { clusterSingleton: scenario } = await import("../../../scenarios/examples/clusterSingleton.ts")
    const { faultKinds } = await import("../../../sim/nemesis/faultKinds.ts")
    const { runScenario } = await import("../../../sim/run/Simulation.ts")
    const options = {
      kinds: faultKinds,
      ...(isSql ? { databases: await (await import("../bootPglite.ts")).boot() } : {})
    }
    return () => {
      // Of the processor, all threads of V8 included: what a core to itself would take at most, whoever else is at work.
      const before = process.cpuUsage()
      let virtualSeconds = 0
      let facts = 0
      for (let seed = 1; seed <= seeds; seed++) {
        const request = {
          scenario: scenario.name,
          seed: String(seed),
          strategy: "random",
          storage: isSql ? "pglite" : "model",
          parameters: { runners: 2 },
          ...(areFaultsDrawn ? {} : { plan: noFaults })
        } as const
        const result = runScenario(scenario, request, options)
        // What faults make of it is the story of the scenario.
        if (result.verdict._tag !== "passed" && !(areFaultsDrawn && result.verdict._tag === "violated")) {
          throw new Error(`seed ${seed} ended ${JSON.stringify(result.verdict)}`)
        }
        virtualSeconds += result.virtualMicros / 1e6
        facts += result.facts
      }
      const { system, user } = process.cpuUsage(before)
      return { count: seeds, virtualSeconds, facts, runs: seeds, millis: (user + system) / 1_000 }
    }
  }
})

const guardedCalls: Figure = {
  name: "guarded call, to plain",
  group: "effect/cluster, fenced shards",
  unit: "calls",
  target: 0.8,
  isLaunched: true,
  load: async () => (await import("./fenceWork.ts")).guardedCalls()
}

const twoWorkers: Figure = {
  name: "two workers, to one",
  group: "sweep",
  unit: "seeds",
  target: 1.8,
  isLaunched: true,
  load: async () => (await import("./sweepWork.ts")).sweepWork
}

const storageUpdates: Figure = {
  name: "conditional updates",
  group: "storage model",
  unit: "updates",
  targetPerSecond: 150_000,
  load: async () => {
    const { storageUpdates } = await import("../../../sim/bench/storageUpdates.ts")
    const workload = { nodes: 8, transactionsOfEach: 1_000, updatesPerTransaction: 100, rows: 1_000 }
    return () => {
      const { seconds, updates } = storageUpdates(workload)
      return { count: updates, virtualSeconds: seconds }
    }
  }
}

const onPostgres = "port on Postgres, to the same statements by hand"

const postgres = (name: string, unit: Figure["unit"], contest: "fencedUpdate" | "claimAndFinish"): Figure => ({
  name,
  group: onPostgres,
  unit,
  target: 0.8,
  load: async () => {
    const { contests, prepare } = await import("./postgresWork.ts")
    return prepare(contests[contest])
  }
})

const checkers = "checkers of histories"

const porcupine = (name: string, targetPerSecond: number, isMeant: (row: Row) => boolean): Figure => ({
  name,
  group: checkers,
  unit: "logs",
  targetPerSecond,
  load: async () => (await import("./checkerWork.ts")).porcupine(isMeant)
})

const serialStore = (name: string, hasTimes: boolean): Figure => ({
  name,
  group: checkers,
  unit: "transactions",
  // A hundred thousand in two seconds.
  targetPerSecond: 50_000,
  load: async () => (await import("./checkerWork.ts")).serial(100_000, hasTimes)
})

/** Only where the data is at hand. */
const histories: ReadonlyArray<Figure> = [
  porcupine("50 etcd logs", 100, ({ model }) => model.startsWith("etcd")),
  porcupine("c10-ok, whole map", 1, ({ file, model }) => file === "c10-ok.txt" && model === "kv-whole-map"),
  porcupine("c10-bad, whole map", 1, ({ file, model }) => file === "c10-bad.txt" && model === "kv-whole-map")
]

export const figures: ReadonlyArray<Figure> = [
  ...mesh("mesh of 5 hosts", five, { datagrams: 0.16, sockets: 0.09 }),
  testClock,
  ...mesh("mesh of 25 hosts", twentyFive, { datagrams: 0.21, sockets: 0.12 }),
  ...mesh("partition storm, 5 hosts", storm, {}),
  idleDay,
  standard,
  cluster("calm", { areFaultsDrawn: false, isSql: false, seeds: 50, target: 2_000 }),
  cluster("with faults", { areFaultsDrawn: true, isSql: false, seeds: 50, target: 2_000 }),
  cluster("calm, SQL", { areFaultsDrawn: false, isSql: true, seeds: 15, target: 400 }),
  cluster("with faults, SQL", { areFaultsDrawn: true, isSql: true, seeds: 15, target: 400 }),
  guardedCalls,
  twoWorkers,
  storageUpdates,
  postgres("fenced update", "updates", "fencedUpdate"),
  postgres("claim and finish", "requests", "claimAndFinish"),
  {
    name: "change feed",
    group: onPostgres,
    unit: "changes",
    target: 0.8,
    load: async () => (await import("./feedWork.ts")).prepareThroughput()
  },
  {
    name: "feed delivery",
    group: onPostgres,
    unit: "changes",
    load: async () => (await import("./feedWork.ts")).prepareLatency()
  },
  {
    name: "no-op keys, in memory",
    group: "reconcile",
    unit: "keys",
    targetPerSecond: 20_000,
    load: async () => (await import("./reconcileWork.ts")).prepareNoOps()
  },
  {
    name: "moves, on Postgres",
    group: "reconcile",
    unit: "moves",
    targetPerSecond: 2_000,
    load: async () => (await import("./reconcileWork.ts")).prepareMoves()
  },
  ...(rows().length > 0 ? histories : []),
  serialStore("isolation", false),
  serialStore("isolation, real time", true)
]
