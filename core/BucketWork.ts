/** The work on bucket groups, which every node does for its own, leader or not: which rows are due, and what looks at them. */
import * as Effect from "effect/Effect"
import * as Facts from "./facts/Facts.ts"
import * as Fleet from "./fleet/Fleet.ts"
import * as FleetScaler from "./fleet/FleetScaler.ts"
import * as Instance from "./instance/Instance.ts"
import * as InstanceReconciler from "./instance/InstanceReconciler.ts"
import { reconcileBatchMax } from "./Limits.ts"
import type { Grant } from "./lease/LeaseKeeper.ts"
import { and, clockTimestamp, type Condition, isIn, le, type Row } from "./ports/Condition.ts"
import type { Provider, ProviderError } from "./ports/Provider.ts"
import { Storage, type StorageError } from "./ports/Storage.ts"
import type { Reconciled } from "./reconcile/ReconcileFacts.ts"
import * as Reconciler from "./reconcile/Reconciler.ts"
import type { Outcome } from "./reconcile/WorkQueue.ts"

export interface BucketWork extends Reconciler.Work {
  readonly kind: "fleet" | "instance"
  readonly id: string
}

/** Two statements for all the groups of a node, whatever their number; nothing else is polled. */
export const due = (
  bucketGroups: ReadonlyArray<number>
): Effect.Effect<ReadonlyArray<BucketWork>, StorageError, Storage> =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const isDue = (row: Row<{ readonly bucketGroup: number; readonly dueAt: number }>): Condition =>
      and(isIn(row.bucketGroup, bucketGroups), le(row.dueAt, clockTimestamp))
    const fleets = yield* once(
      (tx) => tx.select(Fleet.fleets, { where: isDue, orderBy: ["dueAt"], limit: reconcileBatchMax }),
      { label: "reconcile/due/fleets" }
    )
    const instances = yield* once(
      (tx) => tx.select(Instance.instances, { where: isDue, orderBy: ["dueAt"], limit: reconcileBatchMax }),
      { label: "reconcile/due/instances" }
    )
    return [
      ...fleets.map(({ id, bucketGroup }) => workOf("fleet", id, bucketGroup)),
      ...instances.map(({ uid, bucketGroup }) => workOf("instance", uid, bucketGroup))
    ]
  })

/** One look at one row; whatever fails becomes an outcome that backs off. */
export const reconcile = (work: BucketWork, grant: Grant): Effect.Effect<Outcome, never, Storage | Provider> =>
  (work.kind === "fleet" ? FleetScaler.reconcile(work.id, grant) : InstanceReconciler.reconcile(work.id, grant)).pipe(
    Effect.map((outcome: Outcome) => ({ outcome, detail: "" })),
    Effect.catch((error: StorageError | ProviderError) =>
      Effect.succeed({ outcome: outcomeOf(error), detail: error.message })
    ),
    Effect.tap(({ outcome, detail }) =>
      Facts.emit({ _tag: "Reconciled", key: work.key, outcome: outcome._tag, detail } satisfies Reconciled)
    ),
    Effect.map(({ outcome }) => outcome)
  )

/** Starts the loops of the node in the scope. */
export const make = (options: { readonly backoffMillisMax: number }) => Reconciler.make({ due, reconcile, ...options })

function workOf(kind: BucketWork["kind"], id: string, bucketGroup: number): BucketWork {
  return { kind, id, key: `${kind}/${id}`, bucketGroup }
}

function outcomeOf(error: StorageError | ProviderError): Outcome {
  const afterMillis = error.reason._tag === "Throttled" ? error.reason.retryAfterMillis : 0
  return { _tag: "Failed", afterMillis }
}
