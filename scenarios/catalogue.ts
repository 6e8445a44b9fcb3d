/**
 * Every scenario, by name, loaded when it is asked for.
 */
import type { Scenario } from "../sim/run/Scenario.ts"

export interface Entry {
  readonly name: string
  readonly load: () => Promise<Scenario>
}

export const catalogue: ReadonlyArray<Entry> = [
  { name: "calm", load: async () => (await import("./calm.ts")).calm },
  { name: "lease/leader-killed", load: async () => (await import("./leaderKilled.ts")).leaderKilled },
  { name: "everything", load: async () => (await import("./everything.ts")).everything }
]
