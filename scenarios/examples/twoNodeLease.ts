/**
 * Two nodes, one lease, one row: the lease and the fence of the control plane alone, small enough that `stormglass prove` can
 * try everything that may befall them, up to a bound.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { effectsUnderLease } from "../../core/invariants/effectsUnderLease.ts"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import { leaseExclusion } from "../../core/invariants/leaseExclusion.ts"
import { leaseFencing } from "../../core/invariants/leaseFencing.ts"
import { leaseOverrun } from "../../core/invariants/leaseOverrun.ts"
import { leaseRows } from "../../core/invariants/leaseRows.ts"
import { noPanic } from "../../core/invariants/noPanic.ts"
import { rowChanges } from "../../core/invariants/rowChanges.ts"
import type { LeaseProfile } from "../../core/lease/Lease.ts"
import * as LeaseKeeper from "../../core/lease/LeaseKeeper.ts"
import { add, eq } from "../../core/ports/Condition.ts"
import { leases, Storage, type Transaction } from "../../core/ports/Storage.ts"
import { integer, make, type Table, text } from "../../core/ports/Table.ts"
import { effectUnderGrant } from "../../core/reconcile/effectUnderGrant.ts"
import { retryTransient } from "../../core/storage/retryTransient.ts"
import { CurrentNode } from "../../sim/kernel/SimNode.ts"
import { commonKinds } from "../../sim/nemesis/faultKinds.ts"
import { clockTag } from "../../sim/nemesis/kinds/clock.ts"
import { victimTag } from "../../sim/nemesis/kinds/process.ts"
import * as Swarm from "../../sim/nemesis/Swarm.ts"
import * as SimNodeExit from "../../sim/node/SimNodeExit.ts"
import * as Scenario from "../../sim/run/Scenario.ts"
import type { Scale } from "../../sim/search/Scale.ts"
import type { World } from "../../sim/run/World.ts"

/** Half of the default's times. What is left between R and T, 1 s, is what the database gives a silent session. */
const profile: LeaseProfile = { durationMillis: 3_000, renewDeadlineMillis: 2_000, retryPeriodMillis: 500 }

const lease = "the-lease"

/** What only the holder writes, and under which epoch it was written last. */
const register = make("register", {
  columns: { key: text, epoch: integer, writes: integer },
  primaryKey: ["key"]
})

const safetyMillis = 10_000
/** The first node leaves in order and comes back: the lease passes from hand to hand also where nothing fails. */
const leavesAtMillis = 2_700
const staysAwayMicros = 500_000
const stopDeadlineMillis = 5_000
/** Longer than a lease lasts, and than it takes to get one: who held it for so long keeps it. */
const steadyMicros = 3_800_000

/**
 * Outages that nobody need notice, that end a renewal and a silent session, that outlast a lease and who waits for it, and that outlast
 * the patience with work that does not end; delays past whatever is sent within a millisecond, past what a holder leaves itself for the drift
 * of clocks but within the patience of an attempt, and past the lease.
 */
const scale: Scale = {
  outageMillis: [300, 1_200, 3_700, 7_500],
  lastingMillis: 3_700,
  delayMillis: [1, 300, 2_900],
  stallMillis: [3_700],
  jumpMillis: [-10_000, 10_000],
  driftRates: [0.96, 1.04],
  taskMicros: [5_000]
}

/** One write in one round trip, one effect outside, one write in a transaction of three, again and again. */
const work = (grant: LeaseKeeper.Grant) =>
  Effect.gen(function* () {
    const { once, transaction } = yield* Storage
    const fenced = (what: string) => ({ label: `register/${what}`, fences: grant.fences })
    const write = (tx: Transaction) =>
      tx.update(register, {
        where: (row) => eq(row.key, lease),
        set: (row) => ({ epoch: grant.epoch, writes: add(row.writes, 1) })
      })
    const outside = effectUnderGrant(Effect.sleep("40 millis"), { effect: "start", uid: lease, grant })
    const round = retryTransient(once(write, fenced("once"))).pipe(
      Effect.andThen(outside),
      Effect.andThen(transaction(write, fenced("transaction"))),
      Effect.catch((error) => Effect.logDebug(error.message)),
      Effect.andThen(Effect.sleep("450 millis")),
      Effect.forever
    )
    // Who leaves writes that down as well, and does not take no answer for one.
    const farewell = once(write, fenced("farewell")).pipe(
      Effect.retry({ while: ({ reason }) => reason._tag !== "Fenced", schedule: Schedule.spaced("200 millis") }),
      Effect.catch((error) => Effect.logDebug(error.message))
    )
    return yield* Effect.ensuring(round, farewell)
  })

const program = (world: World) =>
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const keeping = LeaseKeeper.layer({ holder: `${node.name}/${node.incarnation}`, profile })
    const competing = Effect.flatMap(LeaseKeeper.LeaseKeeper, ({ whileHeld }) => whileHeld(lease, work))
    return yield* Effect.provide(competing, keeping)
  }).pipe(Effect.provide([world.databases.layer({ database: "database" }), SimNodeExit.layer]))

interface Steadiness {
  /** When the lease changed hands or epochs last, and the register was written last, in microseconds. */
  movedAtMicros: number
  writtenAtMicros: number
  isReleased: boolean
}

/** No split brain, by what is in the store: whatever the fence does, it must come to this. */
const writtenByTheHolder: Invariant<{ epoch: number }> = {
  name: "written-by-the-holder",
  states: "The register is written under the epoch that its lease has, and no earlier one.",
  initial: () => ({ epoch: 0 }),
  step: (state, envelope) => {
    for (const { after } of rowChanges(envelope, register)) {
      if (after === null || after.epoch === state.epoch) continue
      return new Violation(`the register was written under epoch ${after.epoch} of a lease that has ${state.epoch}`, {
        ...after,
        leaseEpoch: state.epoch
      })
    }
    for (const { after } of rowChanges(envelope, leases)) state.epoch = Math.max(state.epoch, after?.epoch ?? 0)
    return state
  }
}

const build = (world: World): Scenario.Built => {
  const tables = [leases, register] as unknown as ReadonlyArray<Table<unknown>>
  const database = world.databases.make(world, { tables })
  world.addNode("database", database.program, { tags: ["database", clockTag] }).start()
  database.place("register/placed", register as unknown as Table<unknown>, { key: lease, epoch: 0, writes: 0 })
  const steadiness = follow(world)
  const [first] = ["n1", "n2"].map((name) => {
    const node = world.addNode(name, program(world), {
      tags: [victimTag, clockTag],
      onExit: { _tag: "Restart", afterMicros: staysAwayMicros }
    })
    node.start()
    return node
  })
  world.kernel.schedule(leavesAtMillis * 1_000, () => first?.stop(stopDeadlineMillis * 1_000), undefined, 0)
  return {
    converged: () => {
      const { isReleased, movedAtMicros, writtenAtMicros } = steadiness
      if (movedAtMicros === 0 || isReleased) return "nobody holds the lease"
      if (world.nowMicros - movedAtMicros < steadyMicros) return "the lease still moves"
      return world.nowMicros - writtenAtMicros < steadyMicros || "its holder does not write"
    }
  }
}

function follow(world: World): Steadiness {
  const written: Steadiness = { movedAtMicros: 0, writtenAtMicros: 0, isReleased: true }
  world.subscribe((envelope) => {
    if (rowChanges(envelope, register).length > 0) written.writtenAtMicros = envelope.atMicros
    for (const { before, after } of rowChanges(envelope, leases)) {
      if (after === null) continue
      written.isReleased = after.releasedAt !== null
      if (before?.epoch !== after.epoch || written.isReleased) written.movedAtMicros = envelope.atMicros
    }
  })
  return written
}

export const twoNodeLease = Scenario.make({
  name: "example/two-node-lease",
  story:
    "Two nodes compete for one lease with the keeper of the control plane. Whoever has it writes a register under its fence and acts outside; one of them leaves in order and comes back. However they are struck, never do both of them write or act.",
  safetyMillis,
  build,
  faults: (draw, world) => Swarm.draw(draw, world, { kinds: commonKinds, safetyMicros: safetyMillis * 1_000 }),
  invariants: [leaseExclusion, leaseFencing, leaseOverrun, leaseRows, effectsUnderLease, noPanic, writtenByTheHolder],
  liveness: { withinMillis: 40_000, quietMillis: 0, noise: () => false },
  scale
})
