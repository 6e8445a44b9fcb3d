/**
 * The loop that reconciles: asks the store what is due in the owned bucket groups, works on each key alone, and backs off from
 * what fails.
 *
 * - R1 Level-triggered: a key says where to look, never what happened. A poll alone is enough.
 * - R2 A key is worked on by one fiber at a time; a defect or a stuck call in one key does not stop the others.
 * - R3 When a group is lost its work is interrupted, and awaited before `serve` ends and the group is released.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import type * as Option from "effect/Option"
import * as Random from "effect/Random"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import { errorsOf } from "../facts/errorsOf.ts"
import * as Facts from "../facts/Facts.ts"
import { labelled } from "../facts/Label.ts"
import { Traced } from "../facts/Traced.ts"
import {
  reconcileBurst,
  reconcilePollMillis,
  reconcileRatePerSecond,
  reconcileResyncMillis,
  reconcileTimeoutMillis,
  reconcileWorkers,
  statementTimeoutMillis
} from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import * as Metrics from "../Metrics.ts"
import { essential } from "../node/essential.ts"
import type { StorageError } from "../ports/Storage.ts"
import type { Reconciled, ReconcilePanicked } from "./ReconcileFacts.ts"
import * as TokenBucket from "./TokenBucket.ts"
import * as WorkQueue from "./WorkQueue.ts"

/** Where to look. `key` is unique among all kinds of work. */
export interface Work {
  readonly key: string
  readonly bucketGroup: number
}

export interface ReconcilerOptions<W extends Work, R> {
  /** What is due in these groups, in the store. */
  readonly due: (bucketGroups: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<W>, StorageError, R>
  /** Everything there is in these groups, due or not, as nothing tells us of what happens outside. */
  readonly everything: (bucketGroups: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<W>, StorageError, R>
  /** Looks, and does what is to be done. Its errors are outcomes; only defects escape. */
  readonly reconcile: (work: W, grant: Grant) => Effect.Effect<WorkQueue.Outcome, never, R>
  readonly backoffMillisMax: number
}

export interface Reconciler {
  /** Works for a group for as long as it runs. */
  readonly serve: (bucketGroup: number, grant: Grant) => Effect.Effect<never>
}

/** Starts the loops in the scope; they idle until a group is served. */
export const make = Effect.fnUntraced(function* <W extends Work, R>(options: ReconcilerOptions<W, R>) {
  const traced = yield* Traced
  const queue = WorkQueue.make(options)
  const known = new Map<string, W>()
  const grants = new Map<number, Grant>()
  const working = yield* FiberMap.make<string>()
  const isServing = Latch.makeUnsafe(false)
  const somethingChanged = Latch.makeUnsafe(false)
  let tokens: TokenBucket.TokenBucket = TokenBucket.make({
    burst: reconcileBurst,
    perSecond: reconcileRatePerSecond,
    nowMicros: yield* monotonicMicros
  })

  const ask = (which: ReconcilerOptions<W, R>["due"], timeoutMillis: number) =>
    Effect.gen(function* () {
      yield* isServing.await
      const found = yield* which([...grants.keys()]).pipe(Effect.timeoutOption(`${timeoutMillis} millis`))
      const nowMicros = yield* monotonicMicros
      for (const work of found._tag === "Some" ? found.value : []) {
        if (!grants.has(work.bucketGroup)) continue
        known.set(work.key, work)
        WorkQueue.add(queue, work.key, nowMicros)
        somethingChanged.openUnsafe()
      }
    }).pipe(Effect.catchTag("StorageError", (error) => Effect.logDebug(error.message)))

  const poll = Effect.andThen(
    ask(options.due, 2 * statementTimeoutMillis),
    Effect.sleep(`${reconcilePollMillis} millis`)
  ).pipe(Effect.forever)

  // Spread, so that nodes that started together do not look at everything together.
  const resync = Effect.flatMap(Random.next, (fraction) =>
    Effect.sleep(reconcileResyncMillis * (0.9 + 0.2 * fraction))
  ).pipe(Effect.andThen(ask(options.everything, reconcileResyncMillis)), Effect.forever)

  const lookAt = Effect.fnUntraced(function* (work: W, grant: Grant) {
    const sinceMicros = yield* monotonicMicros
    const exit = yield* Effect.exit(
      options.reconcile(work, grant).pipe(Effect.timeoutOption(`${reconcileTimeoutMillis} millis`))
    )
    const outcome: WorkQueue.Outcome =
      exit._tag === "Success" && exit.value._tag === "Some" ? exit.value.value : { _tag: "Failed", afterMillis: 0 }
    if (exit._tag === "Failure") {
      const errors = errorsOf(exit.cause)
      yield* Effect.logError(`reconcile ${work.key} panicked`, exit.cause)
      yield* Facts.emit({ _tag: "ReconcilePanicked", key: work.key, errors } satisfies ReconcilePanicked)
    } else if (exit.value._tag === "None") {
      yield* Facts.emit({
        _tag: "Reconciled",
        key: work.key,
        outcome: "Failed",
        detail: `no end within ${reconcileTimeoutMillis} ms`
      } satisfies Reconciled)
    }
    const nowMicros = yield* monotonicMicros
    yield* Metrics.increment(Metrics.reconciles[measured(exit)])
    yield* Metric.update(Metrics.reconcileSeconds, (nowMicros - sinceMicros) / 1_000_000)
    WorkQueue.settle(queue, work.key, outcome, { nowMicros, fraction: yield* Random.next })
    if (!queue.entries.has(work.key)) known.delete(work.key)
    somethingChanged.openUnsafe()
  })

  const dispatch = Effect.gen(function* () {
    const nowMicros = yield* monotonicMicros
    somethingChanged.closeUnsafe()
    tokens = TokenBucket.refill(tokens, nowMicros)
    while ((yield* FiberMap.size(working)) < reconcileWorkers) {
      const left = TokenBucket.take(tokens)
      const key = left === undefined ? undefined : WorkQueue.take(queue, nowMicros)
      if (left === undefined || key === undefined) break
      tokens = left
      yield* Metric.update(Metrics.queueWaitSeconds, WorkQueue.waitedMicros(queue, key, nowMicros) / 1_000_000)
      const work = known.get(key)!
      const grant = grants.get(work.bucketGroup)!
      const look = traced("reconcile", { key }, lookAt(work, grant))
      yield* FiberMap.run(working, key, labelled(`reconcile ${key}`, look))
    }
    const nextMicros = WorkQueue.nextMicros(queue)
    const busy = yield* FiberMap.size(working)
    yield* Metric.update(Metrics.reconcileWorkers, busy)
    yield* Metric.update(Metrics.queueDepth, WorkQueue.depth(queue))
    const isFull = busy >= reconcileWorkers
    if (nextMicros === undefined || isFull) return yield* somethingChanged.await
    const waitMicros = Math.max(nextMicros - nowMicros, TokenBucket.waitMicros(tokens), 1_000)
    yield* Effect.timeoutOption(somethingChanged.await, Math.ceil(waitMicros / 1_000))
  }).pipe(Effect.forever)

  yield* Effect.forkScoped(essential("reconcile/poll", poll))
  yield* Effect.forkScoped(essential("reconcile/resync", resync))
  yield* Effect.forkScoped(essential("reconcile/dispatch", dispatch))

  const drop = Effect.fnUntraced(function* (bucketGroup: number) {
    grants.delete(bucketGroup)
    if (grants.size === 0) isServing.closeUnsafe()
    const keys = [...known.values()].filter((work) => work.bucketGroup === bucketGroup).map(({ key }) => key)
    // All of them before the first wait: nothing of the group may be handed out from here on.
    for (const key of keys) {
      known.delete(key)
      WorkQueue.drop(queue, key)
    }
    for (const key of keys) yield* FiberMap.remove(working, key)
    somethingChanged.openUnsafe()
  })

  const reconciler: Reconciler = {
    serve: (bucketGroup, grant) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          grants.set(bucketGroup, grant)
          isServing.openUnsafe()
        }),
        () => Effect.never,
        () => drop(bucketGroup)
      )
  }
  return reconciler
})

function measured(exit: Exit.Exit<Option.Option<WorkQueue.Outcome>>): keyof typeof Metrics.reconciles {
  if (exit._tag === "Failure") return "panicked"
  return exit.value._tag === "None" ? "late" : exit.value.value._tag
}
