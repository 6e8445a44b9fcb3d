/**
 * The loop that reconciles: asks the store what is due in the owned bucket groups, works on each key alone, and backs off from
 * what fails.
 *
 * - R1 Level-triggered: a key says where to look, never what happened. A poll alone is enough; a hint only brings the next one forward, and one
 *   that is lost costs that time and nothing else.
 * - R2 A key is worked on by one fiber at a time; a defect or a stuck call in one key does not stop the others.
 * - R3 Every look has its turn as soon as a worker is free; the rate of the node is one for retries, all keys together (client-go's).
 * - R4 What waits for its next try, or for something outside, for longer than a poll is not due in the store meanwhile: however much
 *   fails or takes long, it fills no batch.
 * - R5 When a group is lost its work is interrupted, and awaited before `serve` ends and the group is released.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import { errorsOf } from "../facts/errorsOf.ts"
import * as Facts from "../facts/Facts.ts"
import { labelled } from "../facts/Label.ts"
import { Traced } from "../facts/Traced.ts"
import {
  listRowsMax,
  reconcileBatchMax,
  reconcileBurst,
  reconcileDrainMillis,
  reconcileHintMillis,
  reconcilePollMillis,
  reconcileRatePerSecond,
  reconcileResyncMillis,
  reconcileResyncRatePerSecond,
  reconcileTimeoutMillis,
  reconcileWorkers,
  statementTimeoutMillis
} from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import * as Metrics from "../Metrics.ts"
import { essential } from "../node/essential.ts"
import type { Hints } from "../ports/Feed.ts"
import type { StorageError } from "../ports/Storage.ts"
import type { Reconciled, ReconcilePanicked } from "./ReconcileFacts.ts"
import type { Failure } from "./Parking.ts"
import * as TokenBucket from "./TokenBucket.ts"
import * as WorkQueue from "./WorkQueue.ts"

/** Where to look. `key` is unique among all kinds of work. */
export interface Work {
  readonly key: string
  readonly bucketGroup: number
  /** Another one when it was changed, or asked for, since it was found last. Default: each time that it is found. */
  readonly asked?: string
}

export interface ReconcilerOptions<W extends Work, R> {
  /** What is due in these groups, in the store. */
  readonly due: (bucketGroups: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<W>, StorageError, R>
  /** Gives everything there is in these groups, due or not, page by page, as nothing tells us of what happens outside. */
  readonly everything: (
    bucketGroups: ReadonlyArray<number>,
    give: (page: ReadonlyArray<W>) => Effect.Effect<void>
  ) => Effect.Effect<void, StorageError, R>
  /** Looks, and does what is to be done. Its errors are outcomes; only defects escape. */
  readonly reconcile: (work: W, grant: Grant) => Effect.Effect<WorkQueue.Outcome, never, R>
  /** Stores that a look failed, and for how long to wait. Default: only this process knows. */
  readonly failed?: (work: W, grant: Grant, failure: Failure) => Effect.Effect<Kept<W>, StorageError, R>
  readonly backoffMillisMax: number
  /** Says that something may be due: worth a look at once. May be lost, and may say it of anything. Default: none. */
  readonly hints?: Hints | undefined
}

/** What became of a failure that was to be stored. */
export type Kept<W> =
  /** It is due again when its wait is over. */
  | { readonly _tag: "Postponed"; readonly work: W }
  /** It has failed too often: nobody works on it any more. */
  | { readonly _tag: "Parked" }
  /** It is another thing by now. */
  | { readonly _tag: "Changed" }

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
  /** For retries. */
  let tokens: TokenBucket.TokenBucket = TokenBucket.make({
    burst: reconcileBurst,
    perSecond: reconcileRatePerSecond,
    nowMicros: yield* monotonicMicros
  })

  const note = (found: ReadonlyArray<W>, isDue: boolean) =>
    Effect.map(monotonicMicros, (nowMicros) => {
      for (const work of found) {
        const isSame = work.asked !== undefined && known.get(work.key)?.asked === work.asked
        if (!grants.has(work.bucketGroup)) continue
        known.set(work.key, work)
        WorkQueue.add(queue, work.key, nowMicros, { isDue, isSame })
        somethingChanged.openUnsafe()
      }
    })

  /** Whether there may be more than was asked for at once. */
  const askWhatIsDue = Effect.gen(function* () {
    yield* isServing.await
    const found = yield* options
      .due([...grants.keys()])
      .pipe(Effect.timeoutOption(`${2 * statementTimeoutMillis} millis`))
    const due = found._tag === "Some" ? found.value : []
    yield* note(due, true)
    return due.length >= reconcileBatchMax
  }).pipe(Effect.catchTag("StorageError", (error) => Effect.as(Effect.logDebug(error.message), false)))

  /** Until what was found has its turn, and not for longer than between two polls. */
  const drained = Effect.gen(function* () {
    for (let waited = 0; waited < reconcilePollMillis; waited += reconcileDrainMillis) {
      yield* Effect.sleep(`${reconcileDrainMillis} millis`)
      const nextMicros = WorkQueue.nextMicros(queue)
      if (nextMicros === undefined || nextMicros > (yield* monotonicMicros)) return
    }
  })

  const hints = options.hints === undefined ? undefined : yield* options.hints
  const pause = Effect.sleep(`${reconcilePollMillis} millis`)
  /** However much is committed, the store is not asked more often than that. */
  const untilHinted =
    hints === undefined
      ? pause
      : Effect.race(pause, Effect.andThen(Effect.sleep(reconcileHintMillis), Queue.take(hints)))
  const poll = Effect.flatMap(askWhatIsDue, (isMore) => (isMore ? drained : untilHinted)).pipe(Effect.forever)

  /** Page by page, so that what is due meanwhile waits for one page and not for all there is. */
  const lookAtEverything = Effect.andThen(
    isServing.await,
    Effect.suspend(() =>
      options.everything([...grants.keys()], (page) =>
        Effect.andThen(
          note(page, false),
          page.length < listRowsMax ? Effect.void : Effect.sleep((page.length / reconcileResyncRatePerSecond) * 1_000)
        )
      )
    )
  ).pipe(Effect.catchTag("StorageError", (error) => Effect.logDebug(error.message)))

  // Spread, so that nodes that started together do not look at everything together.
  const resync = Effect.flatMap(Random.next, (fraction) =>
    Effect.sleep(reconcileResyncMillis * (0.9 + 0.2 * fraction))
  ).pipe(Effect.andThen(lookAtEverything), Effect.forever)

  /** Undefined where nothing was stored: it is waited for in this process alone. */
  const store = Effect.fnUntraced(function* (
    work: W,
    grant: Grant,
    outcome: WorkQueue.Outcome & { readonly _tag: "Failed" },
    fraction: number
  ) {
    const retryMillis = WorkQueue.retryMillis(queue, work.key, outcome, fraction)
    const { cause } = outcome
    if (options.failed === undefined || (cause === undefined && retryMillis <= reconcilePollMillis)) return undefined
    const stored = yield* options.failed(work, grant, { retryMillis, cause }).pipe(
      Effect.timeoutOption(`${2 * statementTimeoutMillis} millis`),
      Effect.catchTag("StorageError", (error) => Effect.as(Effect.logDebug(error.message), Option.none<Kept<W>>()))
    )
    return Option.getOrUndefined(stored)
  })

  const lookAt = Effect.fnUntraced(function* (work: W, grant: Grant) {
    const sinceMicros = yield* monotonicMicros
    const exit = yield* Effect.exit(
      options.reconcile(work, grant).pipe(Effect.timeoutOption(`${reconcileTimeoutMillis} millis`))
    )
    let outcome: WorkQueue.Outcome =
      exit._tag === "Success" && exit.value._tag === "Some" ? exit.value.value : { _tag: "Failed", afterMillis: 0 }
    if (exit._tag === "Failure") {
      const errors = errorsOf(exit.cause)
      outcome = { ...outcome, _tag: "Failed", afterMillis: 0, cause: errors.join("; ") }
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
    let nowMicros = yield* monotonicMicros
    yield* Metrics.increment(Metrics.reconciles[measured(exit)])
    yield* Metric.update(Metrics.reconcileSeconds, (nowMicros - sinceMicros) / 1_000_000)
    if (outcome._tag === "Failed") {
      const reserved = TokenBucket.reserve(TokenBucket.refill(tokens, nowMicros))
      tokens = reserved.bucket
      outcome = { ...outcome, afterMillis: Math.max(outcome.afterMillis, reserved.waitMicros / 1_000) }
    }
    const fraction = yield* Random.next
    const kept = outcome._tag === "Failed" ? yield* store(work, grant, outcome, fraction) : undefined
    if (kept !== undefined) nowMicros = yield* monotonicMicros
    WorkQueue.settle(queue, work.key, kept?._tag === "Parked" ? { _tag: "Done" } : outcome, { nowMicros, fraction })
    if (kept?._tag === "Postponed" && known.has(work.key)) {
      known.set(work.key, kept.work)
      WorkQueue.postponed(queue, work.key)
    }
    if (!queue.entries.has(work.key)) known.delete(work.key)
    somethingChanged.openUnsafe()
  })

  const dispatch = Effect.gen(function* () {
    const nowMicros = yield* monotonicMicros
    somethingChanged.closeUnsafe()
    while ((yield* FiberMap.size(working)) < reconcileWorkers) {
      const key = WorkQueue.take(queue, nowMicros)
      if (key === undefined) break
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
    const waitMicros = Math.max(nextMicros - nowMicros, 1_000)
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
