/** The leader's count, against the database of the simulator, with rounds that are too short for all fleets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tables } from "../core/ControlPlane.ts"
import * as Fleet from "../core/fleet/Fleet.ts"
import * as FleetStatus from "../core/fleet/FleetStatus.ts"
import type { Grant } from "../core/lease/LeaseKeeper.ts"
import { Storage } from "../core/ports/Storage.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import { World } from "../sim/run/World.ts"
import { SimDatabase } from "../sim/storage/SimDatabase.ts"
import * as SimStorage from "../sim/storage/SimStorage.ts"

const names = Array.from({ length: 40 }, (_, index) => `f${String(index).padStart(2, "0")}`)
const grant: Grant = {
  lease: "leader",
  epoch: 1,
  fences: [],
  remainingMicrosUnsafe: () => 1,
  databaseMicrosUnsafe: () => 1
}

/** How many fleets have been counted after each of these rounds, none of which lasts longer than `roundMillis`. */
const counted = (rounds: number, roundMillis: number): ReadonlyArray<number> => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const database = new SimDatabase(world, { tables: tables as never })
  world.addNode("database", database.program).start()
  const counts: Array<number> = []
  const program = Effect.gen(function* () {
    const { once, transaction } = yield* Storage
    const spec = { image: "web", size: "small" } as const
    for (const name of names) {
      yield* transaction((tx) => Fleet.create(tx, { project: "p", name, desired: 1, spec }), { label: "create" })
    }
    // Long ago, so that nothing but the count's own memory says that there is something left to count.
    yield* Effect.sleep("1 minute")
    const { round } = FleetStatus.make(grant)
    for (let nth = 0; nth < rounds; nth++) {
      yield* Effect.timeoutOption(round, roundMillis)
      yield* Effect.sleep("2 seconds")
      counts.push((yield* once((tx) => tx.select(Fleet.fleetStatuses), { label: "look" })).length)
    }
  })
  world.addNode("n1", Effect.provide(program, SimStorage.layer())).start()
  world.run("10m")
  return counts
}

describe("the leader's count of fleets", () => {
  it("reaches all of them, though each round is cut long before", () => {
    const counts = counted(20, 120)
    assert.lengthOf(counts, 20)
    assert.isAbove(counts[0]!, 0)
    assert.isBelow(counts[0]!, names.length / 2, "the first round is cut")
    assert.strictEqual(counts.at(-1), names.length)
  })
})
