/**
 * Neutral mutants: edits that change no behaviour, as any refactoring makes them (one more yield, draw, log line or await, another order of
 * forks, other names of fibers). Passing scenarios must pass with them, and small failures must go on failing in the same way.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"

interface NeutralMutant extends MutantEdits {
  readonly why: string
}

export const neutralMutants: ReadonlyArray<NeutralMutant> = [
  {
    name: "an-extra-yield-in-each-look",
    why: "A fiber gives way once more before it looks at a row.",
    edits: [
      {
        file: "core/reconcile/Reconciler.ts",
        find: "    const sinceMicros = yield* monotonicMicros\n    const exit",
        replace: "    yield* Effect.yieldNow; const sinceMicros = yield* monotonicMicros\n    const exit"
      }
    ]
  },
  {
    name: "an-extra-reading-of-the-clock",
    why: "The dispatcher reads the clock twice.",
    edits: [
      {
        file: "core/reconcile/Reconciler.ts",
        find: "    somethingChanged.closeUnsafe()\n    while (",
        replace: "    yield* monotonicMicros; somethingChanged.closeUnsafe()\n    while ("
      }
    ]
  },
  {
    name: "another-order-of-the-reconciler-forks",
    why: "The loops of the reconciler are started the other way round.",
    edits: [
      {
        file: "core/reconcile/Reconciler.ts",
        find: '  yield* Effect.forkScoped(essential("reconcile/poll", poll))\n  yield* Effect.forkScoped(essential("reconcile/resync", resync))\n  yield* Effect.forkScoped(essential("reconcile/dispatch", dispatch))',
        replace:
          '  yield* Effect.forkScoped(essential("reconcile/dispatch", dispatch))\n  yield* Effect.forkScoped(essential("reconcile/resync", resync))\n  yield* Effect.forkScoped(essential("reconcile/poll", poll))'
      }
    ]
  },
  {
    name: "renamed-fibers-of-the-reconciler",
    why: "Its loops have other names.",
    edits: [
      {
        file: "core/reconcile/Reconciler.ts",
        find: 'essential("reconcile/poll", poll)',
        replace: 'essential("reconciler/asks", poll)'
      }
    ]
  },
  {
    name: "an-extra-draw-in-each-pause",
    why: "The pause between two attempts at a lease draws twice.",
    edits: [
      {
        file: "core/lease/LeaseKeeper.ts",
        find: "  const pause = Effect.flatMap(Random.next,",
        replace: "  const pause = Effect.flatMap(Effect.andThen(Random.next, Random.next),"
      }
    ]
  },
  {
    name: "an-extra-await-before-each-renewal",
    why: "A renewal waits for nothing before it is sent.",
    edits: [
      {
        file: "core/lease/LeaseKeeper.ts",
        find: "    const leases = [...held.values()]\n",
        replace: "    yield* Effect.sleep(0); const leases = [...held.values()]\n"
      }
    ]
  },
  {
    name: "another-order-of-the-node-forks",
    why: "A node wants to lead before it owns buckets, and stops to lead after it has drained them.",
    edits: [
      {
        file: "core/ControlPlane.ts",
        find: '    yield* Effect.forkScoped(essential("buckets/own", BucketOwner.run(buckets.serve)))\n    yield* Effect.forkScoped(essential("leader", whileHeld(Leader.lease, leads)))',
        replace:
          '    yield* Effect.forkScoped(essential("leader", whileHeld(Leader.lease, leads)))\n    yield* Effect.forkScoped(essential("buckets/own", BucketOwner.run(buckets.serve)))'
      }
    ]
  },
  {
    name: "renamed-fibers-of-the-leader",
    why: "The rounds of the leader have other names.",
    edits: [
      {
        file: "core/Leader.ts",
        find: "labelled(`leader/${name}`, loop)",
        replace: "labelled(`leading/${name}`, loop)"
      }
    ]
  },
  {
    name: "an-extra-log-line-in-each-sweep",
    why: "The sweep says that it begins.",
    edits: [
      {
        file: "core/heartbeat/HeartbeatSweep.ts",
        find: "  return Effect.gen(function* () {\n    const { once, transaction } = yield* Storage\n",
        replace:
          '  return Effect.gen(function* () {\n    yield* Effect.logDebug("the sweep begins"); const { once, transaction } = yield* Storage\n'
      }
    ]
  },
  {
    name: "an-extra-log-line-in-each-scaling",
    why: "The scaler says what it is about to scale.",
    edits: [
      {
        file: "core/fleet/FleetScaler.ts",
        find: "  const { transaction } = yield* Storage\n  return yield* retryTransient(",
        replace:
          "  const { transaction } = yield* Storage\n  yield* Effect.logDebug(`to be scaled: ${id}`); return yield* retryTransient("
      }
    ]
  },
  {
    name: "an-extra-await-in-each-request",
    why: "A request with a key gives way before it claims it.",
    edits: [
      {
        file: "core/idempotency/execute.ts",
        find: "  const attempt = Effect.gen(function* () {\n",
        replace: "  const attempt = Effect.gen(function* () { yield* Effect.yieldNow;\n"
      }
    ]
  },
  {
    name: "an-extra-fiber-in-each-heartbeat",
    why: "An agent forks a fiber that does nothing with each heartbeat.",
    edits: [
      {
        file: "core/agent/Agent.ts",
        find: "      const uids = yield* options.running\n",
        replace: "      yield* Effect.forkChild(Effect.void); const uids = yield* options.running\n"
      }
    ]
  }
]
