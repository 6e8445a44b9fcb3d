/**
 * A program whose every interleaving is known: two fibers take three steps each and let others go first between them. One order of
 * the six steps is a bug.
 */
import * as Effect from "effect/Effect"
import type { DomainFact } from "../../core/facts/Facts.ts"
import { type Invariant, toCheck, Violation } from "../../core/invariants/Invariant.ts"
import { CurrentNode } from "../kernel/SimNode.ts"
import * as Scenario from "../run/Scenario.ts"

export interface StepTaken extends DomainFact {
  readonly _tag: "StepTaken"
  readonly by: "a" | "b"
}

export const stepsOfEach = 3

const fiber = (by: "a" | "b") =>
  Effect.gen(function* () {
    const node = yield* CurrentNode
    for (let step = 0; step < stepsOfEach; step++) {
      yield* Effect.yieldNow
      // Not through the port: no preemption is to be had here, only the order of tasks.
      node.tell<StepTaken>({ _tag: "StepTaken", by })
    }
  })

const neverThat = (bug: string): Invariant<{ steps: string }> => ({
  name: "never-that-order",
  states: `the steps are not taken in the order ${bug}`,
  initial: () => ({ steps: "" }),
  step: (state, { fact }) => {
    if (fact._tag !== "StepTaken") return state
    state.steps += (fact as StepTaken).by
    return state.steps === bug ? new Violation(`the steps were taken in the order ${bug}`, { steps: bug }) : state
  }
})

/** `bug`: an order of six steps, such as "bbaaab". */
export const interleavings = (bug: string) =>
  Scenario.make({
    name: "fixture/interleavings",
    story: "Two fibers take three steps each.",
    safetyMillis: 1_000,
    build: (world) => {
      world.addNode("n1", Effect.all([fiber("a"), fiber("b")], { concurrency: "unbounded" })).start()
    },
    invariants: [toCheck(neverThat(bug))]
  })
