/**
 * I18 and row A7: the state of an instance moves only along the table of moves, each move takes the next revision, and what
 * is reported about it never comes from an older incarnation of its agent, nor from another agent while its own is heard.
 */
import { canMove, type Instance, instances } from "../instance/Instance.ts"
import { heartbeatMoveMillis } from "../Limits.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

// covers A7
export const instanceStates: Invariant<null> = {
  name: "instance-states",
  states: "States move along the table, each by one revision; stale plans and stale reports change nothing (A7, I18).",
  initial: () => null,
  step: (state, envelope) => {
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      const problem = judge(before, after)
      if (problem !== undefined) return new Violation(`instance ${key}: ${problem}`, { before, after })
    }
    return state
  }
}

function judge(before: Instance | null, after: Instance | null): string | undefined {
  if (after === null) return undefined
  if (before === null) return after.state === "PENDING" ? undefined : `it began as ${after.state}`
  if (after.state !== before.state) {
    if (!canMove(before.state, after.state)) return `${before.state} became ${after.state}`
    if (after.revision !== before.revision + 1) return "its state changed without the next revision"
  }
  if (after.revision < before.revision) return "its revision fell"
  return judgeAgent(before, after)
}

/** A new attempt begins with no agent; else one agent goes on speaking, or another one after enough silence. */
function judgeAgent(before: Instance, after: Instance): string | undefined {
  if (before.agent === null) return undefined
  if (after.agent === null) return after.attempt > before.attempt ? undefined : "its agent was forgotten"
  if (after.agent === before.agent) {
    return after.agentIncarnation! < before.agentIncarnation!
      ? "an older incarnation of its agent was believed"
      : undefined
  }
  const silentMicros = after.lastHeartbeatAt! - before.lastHeartbeatAt!
  if (silentMicros >= heartbeatMoveMillis * 1_000) return undefined
  return `${after.agent} was heard for it, ${Math.round(silentMicros / 1_000)} ms after ${before.agent}`
}
