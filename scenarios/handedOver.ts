import type { Envelope } from "../core/facts/Envelope.ts"
import { type Invariant, toCheck, Violation } from "../core/invariants/Invariant.ts"
import { all } from "../core/invariants/all.ts"
import { rowChanges } from "../core/invariants/rowChanges.ts"
import * as Leader from "../core/Leader.ts"
import { members } from "../core/member/Member.ts"
import { leases } from "../core/ports/Storage.ts"
import { make, plan } from "./ControlPlaneScenario.ts"

const withinMicros = 250_000
/** A process that has joined for so long competes. */
const settledMicros = 2_000_000

interface State {
  releasedAtMicros: number | undefined
  /** Since when each member has been there, the leaving ones not. */
  readonly since: Map<string, number>
  /** Who was there, and competing, when the lease was released. */
  heirs: ReadonlyArray<string>
}

// covers A21
const handedOverAtOnce: Invariant<State> = {
  name: "handed-over-at-once",
  states: "A leader's lease that was released is another's within 250 ms, where another is there to take it (A21).",
  initial: () => ({ releasedAtMicros: undefined, since: new Map(), heirs: [] }),
  step: (state, envelope) => {
    const { atMicros } = envelope
    fold(state, envelope)
    const { heirs, releasedAtMicros } = state
    if (releasedAtMicros === undefined || atMicros - releasedAtMicros <= withinMicros) return state
    const left = heirs.filter((heir) => state.since.has(heir))
    state.releasedAtMicros = undefined
    return left.length === 0
      ? state
      : new Violation("the leader's lease was released, and nobody took it", { releasedAtMicros, heirs: left })
  }
}

function fold(state: State, envelope: Envelope): void {
  const { atMicros } = envelope
  for (const { key, after, before } of rowChanges(envelope, members)) {
    if (after === null || after.leavingAt !== null) state.since.delete(key)
    else if (before?.incarnation !== after.incarnation) state.since.set(key, atMicros)
  }
  for (const { key, after } of rowChanges(envelope, leases)) {
    if (key !== Leader.lease || after === null) continue
    state.releasedAtMicros = after.releasedAt === null ? undefined : atMicros
    const holder = after.holder.split("/")[0]
    state.heirs = [...state.since].flatMap(([id, since]) =>
      id !== holder && atMicros - since > settledMicros ? [id] : []
    )
  }
}

export const handedOver = make({
  name: "lease/handed-over-at-once",
  story: `Nodes are stopped in order, one after the other, while clients work. Who stops releases its leases, whoever hears of the commit
looks at once, and there is another leader within a quarter of a second.`,
  cluster: { hearsCommits: true },
  invariants: [...all, toCheck(handedOverAtOnce)],
  faults: (draw) =>
    plan(
      ...Array.from({ length: draw.integer("rounds", 1, 3) }, (_, index) => ({
        when: { at: `${5 + 18 * index}s` },
        target: "all(control-plane)",
        fault: "process/rolling-restart",
        parameters: { stepMillis: draw.integer(`step/${index}`, 3_500, 5_500) }
      }))
    )
})
