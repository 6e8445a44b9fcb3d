/**
 * I15 for what is managed, and row A12: an instance is given up only after the whole time of silence by the store's clock, and never
 * when so many are late together that the cause must be common (kubernetes #24200).
 */
import { type Instance, instances } from "../instance/Instance.ts"
import { brakeCountMin, brakeRatio, heartbeatLateMillis, heartbeatStaleMillis } from "../Limits.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

/** Those that are RUNNING and wanted, by uid. */
type State = Map<string, Instance>

export const heartbeatBrake: Invariant<State> = {
  name: "heartbeat-brake",
  states: "Given up only after the whole silence, and never many at once (A12, I15).",
  initial: () => new Map(),
  step: (running, envelope) => {
    const changes = rowChanges(envelope, instances)
    const given = changes.filter(
      ({ before, after }) => before?.state === "RUNNING" && after?.reason === "HeartbeatStale"
    )
    for (const { key, before, after } of given) {
      const silentMicros = after!.updatedAt - before!.lastHeartbeatAt!
      if (silentMicros >= heartbeatStaleMillis * 1_000) continue
      return new Violation(`instance ${key} was given up though it was heard`, { uid: key, silentMicros })
    }
    if (given.length > 0) {
      const lateBefore = given[0]!.after!.updatedAt - heartbeatLateMillis * 1_000
      const late = [...running.values()].filter((instance) => instance.lastHeartbeatAt! <= lateBefore)
      const counts = { late: late.length, running: running.size }
      if (counts.late >= brakeCountMin && counts.late > brakeRatio * counts.running) {
        return new Violation("instances were given up while many were late together", {
          ...counts,
          given: given.map(({ key }) => key)
        })
      }
    }
    for (const { key, after } of changes) {
      if (after?.state === "RUNNING" && after.deletionRequestedAt === null) running.set(key, after)
      else running.delete(key)
    }
    return running
  }
}
