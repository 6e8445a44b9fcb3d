/**
 * Owns this node's share of the bucket groups: looks at the members, computes the assignment, and competes for the leases of the
 * groups that should be its own. A group that should be another's is drained first and released then.
 *
 * A node with a static place has the groups of its index instead (`StaticOwner.ts`).
 *
 * Input-free: each round starts from the store's members, so that a round that fails or is late costs only time. A dead
 * member's groups are taken over after at most T and one round.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { type Grant, LeaseKeeper } from "../lease/LeaseKeeper.ts"
import { attemptTimeoutMillis, renewIntervalMillis } from "../lease/Lease.ts"
import * as Member from "../member/Member.ts"
import type { Assigned } from "../member/MemberFacts.ts"
import { Membership, type View } from "../member/Membership.ts"
import { essential } from "../node/essential.ts"
import type { NodeExit } from "../ports/NodeExit.ts"
import type { Storage } from "../ports/Storage.ts"
import { assign, groupsOf } from "./Assignment.ts"
import { groups, leaseOf } from "./Bucket.ts"
import * as StaticOwner from "./StaticOwner.ts"
import * as StaticPlace from "./StaticPlace.ts"

const adopts = Mark.sometimes("a member vanished and its bucket groups were assigned to another")
const drains = Mark.sometimes("a bucket group was drained for another member")

/**
 * Runs for ever. `work` runs for each group that is owned, under its grant, and is interrupted and awaited before the group is
 * released.
 */
export const run = <R>(
  work: (bucketGroup: number, grant: Grant) => Effect.Effect<never, never, R>
): Effect.Effect<never, never, Membership | LeaseKeeper | NodeExit | Storage | R> =>
  Effect.gen(function* () {
    const place = yield* StaticPlace.Configured
    if (place !== undefined) return yield* StaticOwner.run(place, work)
    const membership = yield* Membership
    const keeper = yield* LeaseKeeper
    // Parallel, because each campaign that ends waits for the store to take its release.
    const scope = yield* Effect.acquireRelease(Scope.make("parallel"), Scope.close)
    const campaigns = new Map<number, Fiber.Fiber<never>>()
    const draining = new Set<number>()
    let assigned: { readonly version: string; readonly mine: ReadonlyArray<number> } = { version: "", mine: [] }
    let present: ReadonlyArray<string> = []
    let settled: ReadonlySet<string> = new Set()

    const assignFrom = Effect.fnUntraced(function* (view: View) {
      const settledNow = Member.settledAmong(view.live, { nowMicros: view.seenAtMicros, before: settled })
      settled = new Set(settledNow.map(Member.holderOf))
      const sharing = Member.shareholders(view.live, settledNow)
      const version = Member.versionOf(sharing)
      if (version === assigned.version) return
      const mine = groupsOf(assign(groups, sharing), membership.self.id)
      const names = sharing.map((member) => member.id)
      const isVacant = present.some((name) => !names.includes(name))
      yield* Mark.hit(adopts, isVacant && mine.some((group) => !assigned.mine.includes(group)))
      yield* Facts.emit({ _tag: "Assigned", id: membership.self.id, version, bucketGroups: mine } satisfies Assigned)
      assigned = { version, mine }
      present = names
    })

    const drain = (group: number, campaign: Fiber.Fiber<never>) => {
      draining.add(group)
      const forget = Effect.sync(() => {
        draining.delete(group)
        campaigns.delete(group)
      })
      return Fiber.interrupt(campaign).pipe(Effect.andThen(forget), Effect.forkIn(scope))
    }

    const adjust = Effect.gen(function* () {
      for (const [group, campaign] of campaigns) {
        if (assigned.mine.includes(group) || draining.has(group)) continue
        yield* Mark.hit(drains)
        yield* drain(group, campaign)
      }
      for (const group of assigned.mine) {
        if (campaigns.has(group)) continue
        const campaign = keeper.whileHeld(leaseOf(group), (grant) => work(group, grant))
        campaigns.set(group, yield* Effect.forkIn(essential(leaseOf(group), campaign), scope))
      }
    })

    const round = membership.beat.pipe(
      Effect.timeoutOption(`${attemptTimeoutMillis(keeper.profile)} millis`),
      Effect.flatMap((view) => (view._tag === "Some" ? assignFrom(view.value) : Effect.void)),
      Effect.catchTag("StorageError", (error) => Effect.logDebug(error.message)),
      // Between the fork of a campaign and its entry in the book nothing may come.
      Effect.andThen(Effect.uninterruptible(adjust)),
      Effect.andThen(Effect.sleep(`${renewIntervalMillis(keeper.profile)} millis`))
    )
    return yield* Effect.forever(round)
  }).pipe(Effect.scoped)
