/**
 * What the nodes of an idle control plane ask again and again, and a ledger of many rows to ask it of: instances that run and are heard,
 * settled fleets, remembered keys, and what happened in the last hours. For the bench that times it and the test that looks at its plans.
 */
import * as Effect from "effect/Effect"
import { bucketGroupCount, bucketsPerGroup } from "../../../core/Limits.ts"
import * as BucketWork from "../../../core/BucketWork.ts"
import * as Event from "../../../core/event/Event.ts"
import * as FleetStatus from "../../../core/fleet/FleetStatus.ts"
import * as HeartbeatSweep from "../../../core/heartbeat/HeartbeatSweep.ts"
import * as IdempotencyKey from "../../../core/idempotency/IdempotencyKey.ts"
import type { Grant } from "../../../core/lease/LeaseKeeper.ts"
import { Storage } from "../../../core/ports/Storage.ts"

/** Of a leader that holds the lease of the ledger. */
const grant: Grant = {
  lease: "leader",
  epoch: 1,
  fences: [{ lease: "leader", epoch: 1 }],
  remainingMicrosUnsafe: () => Number.MAX_SAFE_INTEGER,
  databaseMicrosUnsafe: () => 0
}

export const groups = Array.from({ length: bucketGroupCount }, (_, group) => group)

/**
 * The rounds by name, each as often as one runs it: what is due of all groups, as one node asks that has them all, and the leader's work. The
 * first round of the count of fleets counts all of them, as it does each minute; `fleet status` is one of those between.
 */
export const idleRounds = Effect.gen(function* () {
  const { once } = yield* Storage
  const { round: status } = FleetStatus.make(grant)
  return {
    due: Effect.asVoid(BucketWork.due(groups)),
    "heartbeat sweep": HeartbeatSweep.make(grant),
    purge: Effect.asVoid(IdempotencyKey.purge(once, grant.fences)),
    "forget events": Effect.asVoid(Event.purge(once, grant.fences)),
    "fleet status, all": status,
    "fleet status": status
  }
})

const settled = "clock_timestamp() - interval '1 day'"

/** Fills an empty, migrated database, as its superuser: nothing follows a ledger that was never told. */
export const fillLedger = (rows: number, fleets: number): ReadonlyArray<string> => [
  "set session_replication_role = replica",
  `insert into leases (key, holder, epoch, "acquiredAt", "renewedAt", "expiresAt")
   values ('leader', 'n1/1', 1, now(), now(), now() + interval '1 day')`,
  `insert into fleets (id, project, name, bucket, "bucketGroup", desired, spec, generation, "scaledGeneration", "createdAt", "updatedAt")
   select 'fleet-' || n, 'project-' || n % 100, 'fleet-' || n, n % ${bucketGroupCount} * ${bucketsPerGroup}, n % ${bucketGroupCount}, 0, '{"image": "web:1", "size": "small"}', 1, 1,
     ${settled}, ${settled}
   from generate_series(1, ${fleets}) n`,
  `insert into instances (uid, project, name, "liveName", bucket, "bucketGroup", state, spec, revision, attempt, agent, "agentIncarnation",
     "lastHeartbeatAt", "createdAt", "updatedAt")
   select 'web-' || n || '-' || md5(n::text), 'project-' || n % 100, 'web-' || n, 'web-' || n, n % ${bucketGroupCount} * ${bucketsPerGroup},
     n % ${bucketGroupCount}, 'RUNNING', '{"image": "web:1", "size": "small"}', 3, 1, 'agent-' || n % 1000, 1, clock_timestamp() + interval '1 hour',
     ${settled}, ${settled}
   from generate_series(1, ${rows}) n`,
  `insert into idempotency_keys (scope, key, fingerprint, state, holder, epoch, "claimedAt", "claimExpiresAt", status, body, "createdAt", "expiresAt")
   select 'project-' || n % 100 || '/anonymous/instances/create', md5(n::text), md5(n::text), 'finished', 'n1/1', 1, ${settled}, ${settled}, 202,
     '{}', ${settled}, clock_timestamp() + interval '1 hour'
   from generate_series(1, ${rows}) n`,
  `insert into events (id, project, fleet, instance, kind, detail, at)
   select 'event-' || md5(n::text), 'project-' || n % 100, 'project-' || n % 100 || '/web', 'web-' || n || '-' || md5(n::text),
     'Vanished', 'it ran, and is gone', clock_timestamp() - n % 80000 * interval '1 second'
   from generate_series(1, ${rows}) n`,
  "reset session_replication_role",
  "analyze"
]
