import * as Effect from "effect/Effect"
import * as Clients from "../core/client/Client.ts"
import { emit } from "../core/facts/Facts.ts"
import * as Mark from "../core/facts/Mark.ts"
import { all } from "../core/invariants/all.ts"
import { idempotencyOnce } from "../core/invariants/idempotencyOnce.ts"
import { type Invariant, toCheck, Violation } from "../core/invariants/Invariant.ts"
import type { World } from "../sim/run/World.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { putFleet } from "./Clients.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

/** Longer than any client of this story is patient, and short enough that a run outlives it twice. */
const keptMillis = 120_000

/** What a key gave that had been used before, for another request, between `ageMillisMin` and `ageMillisMax` ago. */
interface UsedAgain {
  readonly _tag: "UsedAgain"
  readonly key: string
  readonly ageMillisMin: number
  readonly ageMillisMax: number
  readonly isRefused: boolean
}

const anew = Mark.sometimes("idempotency key used anew after its retention")

/** A key is one request's while it is kept, and another's after. A second is left for the commits. */
const keptAndForgotten: Invariant<null> = {
  name: "keys-kept-and-forgotten",
  states: "a key is refused to another request while it is kept, and free for it after",
  initial: () => null,
  step: (state, { fact }) => {
    if (fact._tag !== "UsedAgain") return state
    const { key, ageMillisMin, ageMillisMax, isRefused } = fact as UsedAgain
    if (isRefused && ageMillisMin > keptMillis + 1_000) {
      return new Violation(`key ${key} was refused after its time`, { key, ageMillisMin })
    }
    if (!isRefused && ageMillisMax < keptMillis - 1_000) {
      return new Violation(`key ${key} was another request's before its time`, { key, ageMillisMax })
    }
    return state
  }
}

/** Uses a key, then the same key for another request `afterMillis` later. */
const useAgain = (world: World, addresses: ReadonlyArray<string>, key: string, afterMillis: number) =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(addresses, Clients.make)
    /** Until one of the nodes has decided. */
    const decide = Effect.fnUntraced(function* (desired: number) {
      for (let nth = 0; ; nth++) {
        const client = clients[nth % clients.length] as Clients.Client
        const sentAtMicros = world.nowMicros
        const result = yield* Effect.result(
          Effect.timeoutOption(putFleet(key, `${key}-fleet`, desired).send(client, key), "3 seconds")
        )
        if (result._tag === "Success" && result.success._tag === "Some") return { sentAtMicros, isRefused: false }
        if (result._tag === "Failure" && result.failure._tag === "KeyReused") return { sentAtMicros, isRefused: true }
        yield* Effect.sleep("500 millis")
      }
    })
    const beganAtMicros = world.nowMicros
    yield* decide(1)
    const usedAtMicros = world.nowMicros
    yield* Effect.sleep(afterMillis)
    const { isRefused, sentAtMicros } = yield* decide(2)
    yield* Mark.hit(anew, !isRefused)
    yield* emit<UsedAgain>({
      _tag: "UsedAgain",
      key,
      ageMillisMin: (sentAtMicros - usedAtMicros) / 1_000,
      ageMillisMax: (world.nowMicros - beganAtMicros) / 1_000,
      isRefused
    })
  })

export const retention = make({
  name: "idempotency/keys-kept-and-purged",
  story: `Keys are kept for their retention (here two minutes) and then purged, whoever leads. A key that is used for another request is
refused before, and a new request after; members have no retention, so that no name serves twice. Requests are held up in the middle while the purge goes by.`,
  safetyMillis: 330_000,
  cluster: { keyRetentionMillis: keptMillis },
  invariants: [
    ...all.filter(({ name }) => name !== idempotencyOnce().name),
    toCheck(idempotencyOnce(keptMillis)),
    toCheck(keptAndForgotten)
  ],
  marks: [anew],
  direct: (world, { addresses }) => {
    const again = (key: string, afterMillis: number) =>
      world
        .addNode(key, Effect.provide(useAgain(world, addresses, key, afterMillis), SimHttpClient.layer), {
          tags: ["client"],
          mustEnd: true
        })
        .start()
    again("early", world.draw.integer("early", 1_000, keptMillis - 60_000))
    // Between its end and the next round of purging, and when it has been purged for certain.
    again("expired", keptMillis + world.draw.integer("expired", 2_000, 30_000))
    again("purged", keptMillis + world.draw.integer("purged", 130_000, 160_000))
  },
  faults: (draw, { throughout }) =>
    plan(
      throughout("process/delay-at-point", [0.02, 0.2], "all(control-plane)"),
      ...repeated(draw.child("kills"), {
        times: [1, 5],
        withinMillis: 300_000,
        forMillis: [500, 12_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      })
    )
})
