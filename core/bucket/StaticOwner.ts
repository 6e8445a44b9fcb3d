/**
 * Owns the bucket groups of one index, as it was configured. Everything is done under leases all the same:
 * the configuration says who should own a group, its lease who does, so that two nodes at one index never both work.
 *
 * - S1 Whoever is at an index holds its lease; only then does it compete for the groups.
 * - S2 A node that finds another's name there ends itself and says so. Its own name is an earlier process, whose lease it waits for.
 */
import * as Effect from "effect/Effect"
import * as Facts from "../facts/Facts.ts"
import { type Grant, LeaseKeeper } from "../lease/LeaseKeeper.ts"
import { attemptTimeoutMillis, lookTaken, renewIntervalMillis } from "../lease/Lease.ts"
import { nameOf } from "../member/Member.ts"
import type { Assigned } from "../member/MemberFacts.ts"
import { Membership } from "../member/Membership.ts"
import { essential } from "../node/essential.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { Storage } from "../ports/Storage.ts"
import * as Bucket from "./Bucket.ts"
import * as StaticPlace from "./StaticPlace.ts"

/** Runs for ever. `work` runs for each group that is owned, under its grant, and has ended before the group is released. */
export const run = <R>(
  place: StaticPlace.StaticPlace,
  work: (bucketGroup: number, grant: Grant) => Effect.Effect<never, never, R>
): Effect.Effect<never, never, Membership | LeaseKeeper | NodeExit | Storage | R> =>
  Effect.gen(function* () {
    const membership = yield* Membership
    const keeper = yield* LeaseKeeper
    const node = yield* NodeExit
    const { once } = yield* Storage
    const lease = StaticPlace.leaseOf(place)
    const mine = StaticPlace.groupsOf(place)
    const { id } = membership.self
    const assigned: Assigned = { _tag: "Assigned", id, version: `${lease} of ${place.count}`, bucketGroups: mine }

    const owning = Facts.emit(assigned).pipe(
      Effect.andThen(
        Effect.forEach(
          mine.map(Bucket.leaseOf),
          (of, nth) =>
            essential(
              of,
              keeper.whileHeld(of, (grant) => work(mine[nth]!, grant))
            ),
          { concurrency: "unbounded", discard: true }
        )
      )
    )
    const look = Effect.gen(function* () {
      yield* membership.beat
      const [taken] = yield* lookTaken(once, { keys: [lease], holder: keeper.holder })
      if (taken === undefined || nameOf(taken.holder) === id) return
      return yield* node.exit(
        `index ${place.index} is that of ${nameOf(taken.holder)}; give each node an index of its own, from 0 to ${place.count - 1}`
      )
    }).pipe(
      Effect.timeoutOption(`${attemptTimeoutMillis(keeper.profile)} millis`),
      Effect.catchTag("StorageError", (error) => Effect.logDebug(error.message)),
      Effect.andThen(Effect.sleep(`${renewIntervalMillis(keeper.profile)} millis`))
    )
    return yield* Effect.raceFirst(
      Effect.forever(look),
      keeper.whileHeld(lease, () => owning)
    )
  })
