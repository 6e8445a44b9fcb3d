import type { Mutant } from "./Mutant.ts"

// covers A12
export const heartbeatOfAnyAgent: Mutant = {
  name: "heartbeat-of-any-agent",
  why: "Any agent may keep any instance alive: incarnations are compared as if all agents were one.",
  incident: "table A, A12: recognised by the incarnation, which means nothing without its agent",
  edits: [
    {
      file: "core/heartbeat/Heartbeat.ts",
      find: "    and(eq(row.agent, beat.agent), le(row.agentIncarnation, beat.incarnation)),\n",
      replace: "    le(row.agentIncarnation, beat.incarnation),\n"
    }
  ]
}
