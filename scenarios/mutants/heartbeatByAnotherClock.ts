import type { Mutant } from "./Mutant.ts"

// covers A12
export const heartbeatByAnotherClock: Mutant = {
  name: "heartbeat-by-another-clock",
  why: "The time of a heartbeat is that of the process that took it, not that of the store.",
  incident: "table A, A12: stale by the clock of whoever took the heartbeat",
  edits: [
    {
      file: "core/agent/AgentCalls.ts",
      find: "const heard = yield* Heartbeat.record(once, said)",
      replace:
        "const heard = yield* Effect.flatMap(Effect.clockWith((clock) => clock.currentTimeMillis), (sentAt) => Heartbeat.record(once, { ...said, sentAt } as never))"
    },
    {
      file: "core/heartbeat/Heartbeat.ts",
      find: "lastHeartbeatAt: clockTimestamp })",
      replace: "lastHeartbeatAt: (beat as never as { sentAt: number }).sentAt * 1_000 })"
    }
  ]
}
