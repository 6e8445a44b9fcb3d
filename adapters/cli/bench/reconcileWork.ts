/**
 * Reconciling: looks that find everything as it should be, in memory alone, by the loop that nodes run; and looks that change a state, on real
 * Postgres, by as many workers as a node has. The second are those of an instance on its way to RUNNING, whose resource is there as soon
 * as it was asked for: each look reads its row and moves it once, under the fence of its group.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as ControlPlane from "../../../core/ControlPlane.ts"
import * as BucketWork from "../../../core/BucketWork.ts"
import * as Instance from "../../../core/instance/Instance.ts"
import type { Grant } from "../../../core/lease/LeaseKeeper.ts"
import { policyDefault } from "../../../core/reconcile/Parking.ts"
import { reconcileWorkers } from "../../../core/Limits.ts"
import { eq } from "../../../core/ports/Condition.ts"
import { NodeExit } from "../../../core/ports/NodeExit.ts"
import { Provider } from "../../../core/ports/Provider.ts"
import { leases, Storage } from "../../../core/ports/Storage.ts"
import type { Table } from "../../../core/ports/Table.ts"
import * as Reconciler from "../../../core/reconcile/Reconciler.ts"
import * as EmbeddedPostgres from "../../postgres/EmbeddedPostgres.ts"
import { migrate } from "../../postgres/migrate.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import type { Work } from "./figures.ts"

const grant: Grant = {
  lease: "leader",
  epoch: 1,
  fences: [{ lease: "leader", epoch: 1 }],
  remainingMicrosUnsafe: () => Number.MAX_SAFE_INTEGER,
  databaseMicrosUnsafe: () => Date.now() * 1_000
}

const keys = 40_000

/** All keys are due at once, and each is looked at once. */
export const prepareNoOps = async (): Promise<() => Promise<Work>> => {
  const work = Array.from({ length: keys }, (_, nth) => ({ key: `instance/web-${nth}`, bucketGroup: 1 }))
  return async () => {
    let looks = 0
    const program = Effect.gen(function* () {
      const done = Latch.makeUnsafe(false)
      const reconciler = yield* Reconciler.make({
        due: () => Effect.succeed(looks === 0 ? work : []),
        everything: () => Effect.void,
        backoffMillisMax: 1_000,
        reconcile: () =>
          Effect.sync(() => {
            if (++looks === keys) done.openUnsafe()
            return { _tag: "Done" as const }
          })
      })
      const serving = yield* Effect.forkChild(reconciler.serve(1, grant))
      yield* done.await
      yield* Fiber.interrupt(serving)
    }).pipe(Effect.scoped, Effect.provideService(NodeExit, { exit: (reason) => Effect.die(reason) }))
    await Effect.runPromise(program)
    return { count: looks, virtualSeconds: 0 }
  }
}

const instances = 3_000

export const prepareMoves = async (): Promise<() => Promise<Work>> => {
  const scope = Scope.makeUnsafe()
  const { connection } = await Effect.runPromise(Scope.provide(EmbeddedPostgres.make(), scope))
  await Effect.runPromise(migrate({ connection }))
  const tables = ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>
  const context = await Effect.runPromise(
    Scope.provide(Layer.build(PostgresStorage.layer({ connection, tables })), scope)
  )
  const storage = Context.get(context, Storage)
  const running = new Set<string>()
  const provider: Provider["Service"] = {
    start: (uid) => Effect.sync(() => void running.add(uid)),
    stop: (uid) => Effect.sync(() => void running.delete(uid)),
    observe: (uid) => Effect.sync(() => ({ observation: running.has(uid) ? "Running" : "Absent" })),
    list: Effect.sync(() => [...running].toSorted())
  }
  const run = <A, E>(effect: Effect.Effect<A, E, Storage | Provider>) =>
    Effect.runPromise(effect.pipe(Effect.provideService(Storage, storage), Effect.provideService(Provider, provider)))
  const uids = Array.from({ length: instances }, (_, nth) => `web-${nth}`)
  await run(
    Effect.gen(function* () {
      const lease = { key: grant.lease, holder: "n1/1", epoch: 1, acquiredAt: 0, renewedAt: 0, expiresAt: 0 }
      yield* storage.once((tx) => tx.insert(leases, { ...lease, releasedAt: null }), { label: "bench/lease" })
      for (let from = 0; from < instances; from += 100) {
        const wanted = uids.slice(from, from + 100).map((uid) => {
          const spec = { image: "web:1", size: "small" } as const
          return { uid, project: "bench", name: uid, fleet: null, ordinal: null, spec }
        })
        yield* storage.transaction((tx) => Instance.create(tx, wanted), { label: "bench/create" })
      }
    })
  )
  const round = Effect.forEach(
    uids,
    (uid) => {
      const work = {
        kind: "instance",
        id: uid,
        key: `instance/${uid}`,
        bucketGroup: 1,
        version: 1,
        dueAt: null
      } as const
      return BucketWork.reconcile(work, grant, policyDefault)
    },
    { concurrency: reconcileWorkers, discard: true }
  )
  return async () => {
    const from = performance.now()
    // To CREATING, then to RUNNING.
    await run(round)
    await run(round)
    const millis = performance.now() - from
    const moved = await run(
      storage.once((tx) => tx.count(Instance.instances, (row) => eq(row.state, "RUNNING")), { label: "bench/count" })
    )
    if (moved !== instances) throw new Error(`${moved} of ${instances} instances run`)
    await Effect.runPromise(Scope.close(scope, Exit.void))
    return { count: 2 * instances, virtualSeconds: 0, millis }
  }
}
