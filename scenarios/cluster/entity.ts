/**
 * Entities of `effect/cluster`, unmodified: a client charges forty orders to five accounts by persisted messages, and asks again for what
 * fails. What is to hold of it, one at a time; where one does not, docs/effect-cluster.md says why.
 *
 *   npx stormglass run scenarios/cluster/entity.ts#once --seeds 50
 */
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import * as ClusterScenario from "../../sim/cluster/ClusterScenario.ts"
import {
  type AskFailed,
  answersAgree,
  effectsOnce,
  noOverlap,
  noStaleWrites,
  nothingAfterAnswer,
  type OutsideResource
} from "../../sim/outside/OutsideResource.ts"
import { Account, charging } from "./account.ts"

const accounts = (outside: OutsideResource) =>
  Account.toLayer(
    Effect.gen(function* () {
      const { entityId } = yield* Entity.CurrentAddress
      const { activation, write } = yield* outside.writer(`Account/${entityId}`)
      return Account.of({
        Charge: Effect.fnUntraced(function* ({ payload: { order } }) {
          yield* write("begun")
          yield* Effect.sleep("3 seconds")
          yield* write("charged", order)
          return `${order} by ${activation}`
        })
      })
    })
  )

const situation = { ...charging, program: accounts }

export const stale = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#stale",
  story: "No activation of an account charges after one that began later has.",
  invariants: [noStaleWrites]
})

export const overlap = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#overlap",
  story: "No account is active at two places for longer than a second.",
  invariants: [noOverlap({ longerThanMillis: 1_000 })]
})

export const once = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#once",
  story: "No order is charged twice.",
  invariants: [effectsOnce]
})

export const afterAnswer = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#afterAnswer",
  story: "No order is charged that its client was told is charged.",
  invariants: [nothingAfterAnswer]
})

export const alike = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#alike",
  story: "Whoever asks for an order again is told the same.",
  invariants: [answersAgree]
})

export const answered = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#answered",
  story: "Two minutes after the last fault every order has been answered.",
  invariants: [],
  answeredWithinMillis: 120_000
})

export const answeredAtAll = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#answeredAtAll",
  story:
    "Fifteen minutes after the last fault every order has been answered: a message that was read and lost is read again after ten.",
  invariants: [],
  answeredWithinMillis: 900_000
})

export const keptAlive = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#keptAlive",
  story: "The same, where connections to the store are kept alive after ten seconds of silence.",
  invariants: [],
  answeredWithinMillis: 900_000,
  keepAliveMillis: 10_000
})

const nobodyInterrupted: Invariant<null> = {
  name: "nobody-interrupted",
  states: "Nobody is told that what he asked for was interrupted, for nobody interrupts anything.",
  initial: () => null,
  step: (state, { fact }) => {
    const { _tag, because = [], message } = fact as Partial<AskFailed>
    const isTold = _tag === "AskFailed" && because.some((line) => line.startsWith("InterruptError"))
    return isTold ? new Violation(`the client of ${message} was told that it was interrupted`, { message }) : state
  }
}

export const uninterrupted = ClusterScenario.make({
  ...situation,
  name: "cluster/entity#uninterrupted",
  story: "Nobody is told that his order was interrupted, for nobody interrupts one.",
  invariants: [nobodyInterrupted]
})
