/** The work on bucket groups, which every node does for its own, leader or not: which rows are due, and what looks at them. */
import * as Effect from "effect/Effect"
import * as Event from "./event/Event.ts"
import * as Facts from "./facts/Facts.ts"
import * as Fleet from "./fleet/Fleet.ts"
import * as fleetEvents from "./fleet/fleetEvents.ts"
import * as FleetScaler from "./fleet/FleetScaler.ts"
import * as Instance from "./instance/Instance.ts"
import * as instanceEvents from "./instance/instanceEvents.ts"
import * as InstanceReconciler from "./instance/InstanceReconciler.ts"
import { listRowsMax, reconcileBatchMax } from "./Limits.ts"
import type { Grant } from "./lease/LeaseKeeper.ts"
import { add, and, clockTimestamp, type Condition, eq, gt, isIn, le, type Row } from "./ports/Condition.ts"
import type { Hints } from "./ports/Feed.ts"
import type { Provider, ProviderError } from "./ports/Provider.ts"
import { Storage, type StorageError } from "./ports/Storage.ts"
import * as Parking from "./reconcile/Parking.ts"
import type { Reconciled } from "./reconcile/ReconcileFacts.ts"
import * as Reconciler from "./reconcile/Reconciler.ts"
import type { Outcome } from "./reconcile/WorkQueue.ts"

export interface BucketWork extends Reconciler.Work {
  readonly kind: "fleet" | "instance"
  readonly id: string
  /** As it was found: what is wanted of a fleet, every change of an instance. */
  readonly version: number
  readonly dueAt: number | null
}

/** Two statements for all the groups of a node, whatever their number; nothing else is polled. */
export const due = (
  bucketGroups: ReadonlyArray<number>
): Effect.Effect<ReadonlyArray<BucketWork>, StorageError, Storage> =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const isDue = (row: Placed): Condition => and(isIn(row.bucketGroup, bucketGroups), le(row.dueAt, clockTimestamp))
    const fleets = yield* once(
      (tx) => tx.select(Fleet.fleets, { where: (row) => isDue(row), orderBy: ["dueAt"], limit: reconcileBatchMax }),
      { label: "reconcile/due/fleets" }
    )
    const instances = yield* once(
      (tx) =>
        tx.select(Instance.instances, { where: (row) => isDue(row), orderBy: ["dueAt"], limit: reconcileBatchMax }),
      { label: "reconcile/due/instances" }
    )
    return [...fleets.map(fleetWork), ...instances.map(instanceWork)]
  })

type Placed = Row<{ readonly bucketGroup: number; readonly dueAt: number | null }>

/** All rows of the groups, a page at a time. */
export const everything = (
  bucketGroups: ReadonlyArray<number>,
  give: (page: ReadonlyArray<BucketWork>) => Effect.Effect<void>
): Effect.Effect<void, StorageError, Storage> =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    yield* pages(give, (after) =>
      once(
        (tx) =>
          tx.select(Fleet.fleets, {
            where: (row) => and(isIn(row.bucketGroup, bucketGroups), gt(row.id, after)),
            orderBy: ["id"],
            limit: listRowsMax
          }),
        { label: "reconcile/all/fleets" }
      ).pipe(Effect.map((rows) => rows.map(fleetWork)))
    )
    yield* pages(give, (after) =>
      once(
        (tx) =>
          tx.select(Instance.instances, {
            where: (row) => and(isIn(row.bucketGroup, bucketGroups), gt(row.uid, after)),
            orderBy: ["uid"],
            limit: listRowsMax
          }),
        { label: "reconcile/all/instances" }
      ).pipe(Effect.map((rows) => rows.map(instanceWork)))
    )
  })

const pages = Effect.fnUntraced(function* (
  give: (page: ReadonlyArray<BucketWork>) => Effect.Effect<void>,
  pageAfter: (after: string) => Effect.Effect<ReadonlyArray<BucketWork>, StorageError>
) {
  let after = ""
  for (;;) {
    const page = yield* pageAfter(after)
    yield* give(page)
    if (page.length < listRowsMax) return
    after = page.at(-1)!.id
  }
})

/** One look at one row; whatever fails becomes an outcome that backs off. */
export const reconcile = (
  work: BucketWork,
  grant: Grant,
  policy: Parking.Policy
): Effect.Effect<Outcome, never, Storage | Provider> =>
  (work.kind === "fleet"
    ? FleetScaler.reconcile(work.id, grant, policy)
    : InstanceReconciler.reconcile(work.id, grant, policy)
  ).pipe(
    Effect.map((outcome: Outcome) => ({ outcome, detail: "" })),
    Effect.catch((error: StorageError | ProviderError) =>
      Effect.succeed({ outcome: outcomeOf(error), detail: error.message })
    ),
    Effect.tap(({ outcome, detail }) =>
      Facts.emit({ _tag: "Reconciled", key: work.key, outcome: outcome._tag, detail } satisfies Reconciled)
    ),
    Effect.map(({ outcome }) => outcome)
  )

/** Stores that a look failed, unless the row has changed since. */
export const failed = (
  work: BucketWork,
  grant: Grant,
  failure: Parking.Failure,
  policy: Parking.Policy
): Effect.Effect<Reconciler.Kept<BucketWork>, StorageError, Storage> =>
  Effect.gen(function* () {
    const { transaction } = yield* Storage
    const { dueAt, id, version } = work
    const kept = yield* transaction(
      Effect.fnUntraced(function* (tx) {
        if (work.kind === "fleet") {
          const read = yield* tx.get(Fleet.fleets, { id }, { lock: "for update" })
          if (read?.generation !== version || read.dueAt !== dueAt) return undefined
          const set = Parking.written(Parking.fateOf(read, failure, policy), failure)
          const [row] = yield* tx.update(Fleet.fleets, { where: (each) => eq(each.id, id), set: () => set })
          if (row === undefined) return undefined
          if (isParkedSince(read, row)) yield* Event.record(tx, [fleetEvents.parked(row)])
          return { parkedAt: row.parkedAt, work: fleetWork(row) }
        }
        const read = yield* tx.get(Instance.instances, { uid: id }, { lock: "for update" })
        if (read?.revision !== version || read.dueAt !== dueAt) return undefined
        const set = Parking.written(Parking.fateOf(read, failure, policy), failure)
        const [row] = yield* tx.update(Instance.instances, {
          where: (each) => eq(each.uid, id),
          set: (each) => (set.dueAt === null ? { ...set, revision: add(each.revision, 1) } : set)
        })
        if (row === undefined) return undefined
        if (isParkedSince(read, row)) yield* Event.record(tx, [instanceEvents.parked(row)])
        return { parkedAt: row.parkedAt, work: instanceWork(row) }
      }),
      { label: `reconcile/failed/${work.kind}`, fences: grant.fences }
    )
    if (kept === undefined) return { _tag: "Changed" as const }
    return kept.parkedAt === null ? { _tag: "Postponed" as const, work: kept.work } : { _tag: "Parked" as const }
  })

const isParkedSince = (read: Pick<Parking.Failing, "parkedAt">, row: Pick<Parking.Failing, "parkedAt">): boolean =>
  read.parkedAt === null && row.parkedAt !== null

/** Starts the loops of the node in the scope. */
export const make = (options: {
  readonly backoffMillisMax: number
  readonly policy: Parking.Policy
  /** That something may be due. Default: none. */
  readonly hints?: Hints | undefined
}) =>
  Reconciler.make({
    due,
    everything,
    reconcile: (work: BucketWork, grant) => reconcile(work, grant, options.policy),
    failed: (work: BucketWork, grant, failure) => failed(work, grant, failure, options.policy),
    backoffMillisMax: options.backoffMillisMax,
    hints: options.hints
  })

function fleetWork({ bucketGroup, dueAt, generation, id }: Fleet.Fleet): BucketWork {
  return {
    kind: "fleet",
    id,
    key: `fleet/${id}`,
    bucketGroup,
    version: generation,
    dueAt,
    asked: `${generation} ${dueAt}`
  }
}

function instanceWork({ bucketGroup, dueAt, revision, uid }: Instance.Instance): BucketWork {
  return {
    kind: "instance",
    id: uid,
    key: `instance/${uid}`,
    bucketGroup,
    version: revision,
    dueAt,
    asked: `${revision} ${dueAt}`
  }
}

/** What a constraint refuses it will refuse again; all else may pass. */
function outcomeOf(error: StorageError | ProviderError): Outcome {
  switch (error.reason._tag) {
    case "Throttled":
      return { _tag: "Failed", afterMillis: error.reason.retryAfterMillis }
    case "UniqueViolation":
    case "CheckViolation":
      return { _tag: "Failed", afterMillis: 0, cause: error.message }
    default:
      return { _tag: "Failed", afterMillis: 0 }
  }
}
