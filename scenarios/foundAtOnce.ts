import type { Envelope } from "../core/facts/Envelope.ts"
import { fleets } from "../core/fleet/Fleet.ts"
import { instances } from "../core/instance/Instance.ts"
import { all } from "../core/invariants/all.ts"
import * as DatabaseClock from "../core/invariants/DatabaseClock.ts"
import { type Invariant, toCheck, Violation } from "../core/invariants/Invariant.ts"
import { rowChanges } from "../core/invariants/rowChanges.ts"
import { leases } from "../core/ports/Storage.ts"
import type { Reconciled } from "../core/reconcile/ReconcileFacts.ts"
import { answeredAlways } from "./answeredAlways.ts"
import * as ControlPlaneScenario from "./ControlPlaneScenario.ts"

const withinMicros = 250_000
/** From then on whoever acquired a lease works under it. */
const settledMicros = 3_000_000

interface State {
  readonly clock: DatabaseClock.DatabaseClock
  /** Since when what is due has not been looked at. */
  readonly due: Map<string, number>
  movedAtMicros: number
}

// covers A13
const workFoundAtOnce: Invariant<State> = {
  name: "work-found-at-once",
  states: "What becomes due is looked at within 250 ms, where all hear of all commits (A13).",
  initial: () => ({ clock: DatabaseClock.make(), due: new Map(), movedAtMicros: 0 }),
  step: (state, envelope) => {
    const { atMicros } = envelope
    fold(state, envelope)
    for (const [key, sinceMicros] of state.due) {
      if (atMicros - sinceMicros <= withinMicros) continue
      return new Violation(`${key} is due, and nobody has looked at it`, { sinceMicros })
    }
    return state
  }
}

function fold(state: State, envelope: Envelope): void {
  const { atMicros, fact } = envelope
  DatabaseClock.follow(state.clock, envelope)
  if (fact._tag === "Reconciled") state.due.delete((fact as Reconciled).key)
  for (const { after, before } of rowChanges(envelope, leases)) {
    if (after?.epoch !== before?.epoch || after?.releasedAt !== null) state.movedAtMicros = atMicros
  }
  if (atMicros - state.movedAtMicros < settledMicros) return state.due.clear()
  const rows = [
    ...rowChanges(envelope, fleets).map((change) => ({ ...change, key: `fleet/${change.key}` })),
    ...rowChanges(envelope, instances).map((change) => ({ ...change, key: `instance/${change.key}` }))
  ]
  if (rows.length === 0) return
  const now = DatabaseClock.readingsMicros(state.clock, atMicros, atMicros)?.most ?? Infinity
  for (const { after, before, key } of rows) {
    if (after?.dueAt === before?.dueAt) continue
    const isDue = after !== null && after.dueAt !== null && after.dueAt <= now
    if (isDue) state.due.set(key, atMicros)
    else state.due.delete(key)
  }
}

export const foundAtOnce = ControlPlaneScenario.make({
  name: "reconcile/found-at-once",
  story: `Nothing fails, and every node hears of what the others commit. What somebody asks for, and what an agent says of it, is looked at by whose
work it is at once, and not when he looks next.`,
  parameters: { nodes: [2, 2], agents: [1, 1], clients: [1, 2], desiredMax: [2, 4] },
  safetyMillis: 20_000,
  cluster: { hearsCommits: true, runsOnAgents: true },
  invariants: [...all, toCheck(workFoundAtOnce), toCheck(answeredAlways)],
  faults: () => ({ version: 1, faults: [] })
})
