import type { Mutant } from "./Mutant.ts"

// covers A12
export const heartbeatByTheSendersClock: Mutant = {
  name: "heartbeat-by-the-senders-clock",
  why: "The agent says when it beat, and is believed.",
  incident: "table A, A12: stale by the sender's clock",
  edits: [
    {
      file: "core/api/Views.ts",
      find: "export const Beat = Schema.Struct({",
      replace: "export const Beat = Schema.Struct({ sentAt: Schema.Number,"
    },
    {
      file: "core/agent/Agent.ts",
      find: "const payload = { incarnation,",
      replace: "const payload = { sentAt: yield* Effect.clockWith((clock) => clock.currentTimeMillis), incarnation,"
    },
    {
      file: "core/heartbeat/Heartbeat.ts",
      find: "lastHeartbeatAt: clockTimestamp })",
      replace: "lastHeartbeatAt: (beat as never as { sentAt: number }).sentAt * 1_000 })"
    }
  ]
}
