/**
 * What a database that was restored from a backup is told before anybody works on it again. It has forgotten what it gave out since the backup
 * was made, and would give it out a second time: epochs of leases, incarnations of processes, generations and revisions that clients hold. Pure.
 *
 * - B1 Each of these is raised by more than was given out since, so that none is given twice: who holds one of before is refused.
 * - B2 The change feed begins another history: who followed it before lists again.
 * - B3 Nobody holds anything: leases and claims have expired, members have left. Who runs on from before notices at its next renewal.
 * - B4 What agents run is not given up for a silence that is the backup's: they have the usual time to be heard.
 * - B5 Keys that were revoked since are good again in it. Whoever restores knows which, or ends them all.
 */
import { floorTable } from "./FeedSchema.ts"

/** A lease that changed hands every second since the backup would come to it in 31 years. */
export const raisedBy = 1_000_000_000

/** Ids of keys, sixteen hexadecimal digits each. */
export type RevokedKeys = "all" | ReadonlyArray<string>

export const afterRestore = (revokedKeys: RevokedKeys = []): ReadonlyArray<string> =>
  [
    `update "leases" set "epoch" = "epoch" + ${raisedBy}, "expiresAt" = least("expiresAt", clock_timestamp()),
     "releasedAt" = coalesce("releasedAt", clock_timestamp())`,
    `update "members" set "incarnation" = "incarnation" + ${raisedBy}, "leavingAt" = coalesce("leavingAt", clock_timestamp())`,
    `update "agents" set "incarnation" = "incarnation" + ${raisedBy}`,
    `update "idempotency_keys" set "epoch" = "epoch" + ${raisedBy}, "claimExpiresAt" = least("claimExpiresAt", clock_timestamp())`,
    `update "fleets" set "generation" = "generation" + ${raisedBy}, "scaledGeneration" = "scaledGeneration" + ${raisedBy},
     "dueAt" = clock_timestamp()`,
    `update "fleet_statuses" set "observedGeneration" = "observedGeneration" + ${raisedBy}`,
    `update "instances" set "revision" = "revision" + ${raisedBy}, "dueAt" = clock_timestamp(),
     "lastHeartbeatAt" = case when "lastHeartbeatAt" is null then null else clock_timestamp() end`,
    `update ${floorTable} set restored = gen_random_uuid()::text`,
    `update "api_keys" set "revokedAt" = clock_timestamp() where "revokedAt" is null and ${
      revokedKeys === "all" ? "true" : `"id" = any ('{${revokedKeys.join(",")}}'::text[])`
    }`
  ].map((statement) => `/* restored */ ${statement}`)
