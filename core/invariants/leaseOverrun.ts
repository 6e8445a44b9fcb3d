/**
 * I1 from inside: work that refuses to end takes its process down with it before the lease can be another's. Judged by the claims
 * of the process itself and so whatever the database's clock does; a paused process owes nothing until it runs again.
 */
import type { ActingAs, StoppedActing } from "../lease/LeaseFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"

/** What the drift of a clock and a slow processor may add. */
const graceMicros = 3_000_000

interface Process {
  isPaused: boolean
  /** By when the work must have ended, by lease and epoch. */
  readonly dueMicros: Map<string, number>
}

/** By node: one process runs on it at a time. */
type State = Map<string, Process>

// covers A22
export const leaseOverrun: Invariant<State> = {
  name: "lease-overrun",
  states: "Work under a lease that was not renewed has ended, or its process has (I1).",
  initial: () => new Map(),
  step: (state, { atMicros, fact, node }) => {
    switch (fact._tag) {
      case "NodeStarted":
      case "NodeCrashed":
      case "NodeExited":
        state.delete(node)
        return state
      case "NodePaused":
        processOf(state, node).isPaused = true
        return state
      case "NodeResumed": {
        const process = processOf(state, node)
        process.isPaused = false
        for (const [work, dueMicros] of process.dueMicros) {
          process.dueMicros.set(work, Math.max(dueMicros, atMicros + graceMicros))
        }
        return state
      }
      case "StoppedActing": {
        const { lease, epoch } = fact as StoppedActing
        processOf(state, node).dueMicros.delete(`${lease}@${epoch}`)
        return state
      }
      case "ActingAs": {
        const { grants, remainingMicros } = fact as ActingAs
        const { dueMicros } = processOf(state, node)
        for (const { lease, epoch } of grants) {
          dueMicros.set(`${lease}@${epoch}`, atMicros + remainingMicros + graceMicros)
        }
        return overdue(state, atMicros) ?? state
      }
      default:
        return state
    }
  }
}

/** Looked for whenever somebody acts: soon enough, and cheap. */
function overdue(state: State, atMicros: number): Violation | undefined {
  for (const [node, { dueMicros, isPaused }] of state) {
    if (isPaused) continue
    for (const [work, byMicros] of dueMicros) {
      if (byMicros >= atMicros) continue
      return new Violation(`${node} is still at work under ${work}, which it has long ceased to hold`, {
        node,
        work,
        byMicros,
        atMicros
      })
    }
  }
  return undefined
}

function processOf(state: State, node: string): Process {
  let process = state.get(node)
  if (process === undefined) state.set(node, (process = { isPaused: false, dueMicros: new Map() }))
  return process
}
