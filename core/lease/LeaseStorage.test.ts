import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import * as Member from "../member/Member.ts"
import * as Membership from "../member/Membership.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { leases, Storage } from "../ports/Storage.ts"
import * as Lease from "./Lease.ts"
import * as LeaseKeeper from "./LeaseKeeper.ts"
import { LeaseStorage } from "./LeaseStorage.ts"

/** A storage whose sessions requests have taken, every one. */
const exhausted = Storage.of({ transaction: () => Effect.never, once: () => Effect.never })

it.effect("a node joins, acquires, renews and releases while requests have all other sessions with the database", () =>
  Effect.gen(function* () {
    const database = new StillDatabase(leases, Member.members)
    const setClock = (millis: number) => {
      database.nowMicros += millis * 1_000
      return TestClock.adjust(millis)
    }
    const node = Effect.gen(function* () {
      yield* Membership.make({ id: "n1", address: "http://n1", weight: 1, liveMillis: 6_000 })
      const keeper = yield* LeaseKeeper.make({ holder: "n1/1", profile: Lease.profileDefault })
      return yield* keeper.whileHeld("leader", () => Effect.never)
    }).pipe(
      Effect.scoped,
      Effect.provideService(Storage, exhausted),
      Effect.provideService(LeaseStorage, Storage.of({ transaction: () => Effect.never, once: database.once })),
      Effect.provideService(NodeExit, NodeExit.of({ exit: (reason) => Effect.die(reason) }))
    )
    const running = yield* Effect.forkChild(node)
    for (let second = 0; second < 10; second++) yield* setClock(1_000)
    const [lease] = database.rows(leases)
    assert.strictEqual(lease?.epoch, 1)
    assert.isAbove(lease!.renewedAt, lease!.acquiredAt)
    assert.isAbove(lease!.expiresAt, database.nowMicros)
    yield* Fiber.interrupt(running)
    assert.strictEqual(database.rows(leases)[0]!.releasedAt, database.nowMicros)
  })
)
