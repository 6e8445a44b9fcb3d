/**
 * Every scenario, by name, loaded when it is asked for.
 */
import type { Scenario } from "../sim/run/Scenario.ts"

export interface Entry {
  readonly name: string
  readonly load: () => Promise<Scenario>
}

export const catalogue: ReadonlyArray<Entry> = [
  {
    name: "agents/agent-cut-from-all-nodes",
    load: async () => (await import("./agentCutFromAllNodes.ts")).agentCutFromAllNodes
  },
  { name: "agents/host-lost-for-good", load: async () => (await import("./hostLost.ts")).hostLost },
  {
    name: "agents/run-instances",
    load: async () => (await import("./agentsRunInstances.ts")).agentsRunInstances
  },
  { name: "agents/flapping-and-stale", load: async () => (await import("./agentsFlapping.ts")).agentsFlapping },
  {
    name: "api/client-cut-from-its-node",
    load: async () => (await import("./clientCutFromItsNode.ts")).clientCutFromItsNode
  },
  {
    name: "api/listed-while-it-changes",
    load: async () => (await import("./listedWhileItChanges.ts")).listedWhileItChanges
  },
  { name: "api/quota-raced-by-clients", load: async () => (await import("./quotaRaced.ts")).quotaRaced },
  { name: "calm", load: async () => (await import("./calm.ts")).calm },
  { name: "clocks/skewed-and-drifting", load: async () => (await import("./clocksAstray.ts")).clocksAstray },
  { name: "everything", load: async () => (await import("./everything.ts")).everything },
  { name: "example/journal", load: async () => (await import("./examples/journal.ts")).journal },
  { name: "example/payments", load: async () => (await import("./examples/payments.ts")).payments },
  { name: "example/two-node-lease", load: async () => (await import("./examples/twoNodeLease.ts")).twoNodeLease },
  { name: "fleet/deleted-and-made-anew", load: async () => (await import("./fleetDeleted.ts")).fleetDeleted },
  { name: "fleet/paused-and-resumed", load: async () => (await import("./fleetPaused.ts")).fleetPaused },
  { name: "fleet/poisoned-and-redriven", load: async () => (await import("./fleetPoisoned.ts")).fleetPoisoned },
  {
    name: "fleet/scaled-10-to-3-to-2-under-leader-changes",
    load: async () => (await import("./scaleDown.ts")).scaleDown
  },
  {
    name: "idempotency/answer-lost-after-commit",
    load: async () => (await import("./answerLostAfterCommit.ts")).answerLostAfterCommit
  },
  {
    name: "idempotency/duplicates-across-nodes",
    load: async () => (await import("./duplicatesAcrossNodes.ts")).duplicatesAcrossNodes
  },
  { name: "idempotency/keys-kept-and-purged", load: async () => (await import("./retention.ts")).retention },
  {
    name: "identity/tenants-and-their-keys",
    load: async () => (await import("./tenants.ts")).tenantsScenario
  },
  { name: "lease/handed-over-at-once", load: async () => (await import("./handedOver.ts")).handedOver },
  {
    name: "lease/leader-cut-from-database",
    load: async () => (await import("./leaderCutFromDatabase.ts")).leaderCutFromDatabase
  },
  { name: "lease/leader-killed", load: async () => (await import("./leaderKilled.ts")).leaderKilled },
  {
    name: "lease/leader-paused-in-the-middle-of-a-write",
    load: async () => (await import("./leaderPausedInTheMiddle.ts")).leaderPausedInTheMiddle
  },
  { name: "lease/no-leader-at-all", load: async () => (await import("./noLeader.ts")).noLeader },
  { name: "member/join-and-leave", load: async () => (await import("./membersJoinAndLeave.ts")).membersJoinAndLeave },
  { name: "network/one-way", load: async () => (await import("./oneWay.ts")).oneWay },
  { name: "network/three-groups", load: async () => (await import("./threeGroups.ts")).threeGroups },
  {
    name: "process/rolling-restart-with-traffic",
    load: async () => (await import("./rollingRestart.ts")).rollingRestart
  },
  {
    name: "provider/lags-lies-and-forgets",
    load: async () => (await import("./providerUnreliable.ts")).providerUnreliable
  },
  { name: "reconcile/found-at-once", load: async () => (await import("./foundAtOnce.ts")).foundAtOnce },
  {
    name: "sessions/herd-after-a-restart",
    load: async () => (await import("./herd.ts")).herd
  },
  {
    name: "storage/database-restarted-under-load",
    load: async () => (await import("./databaseRestarted.ts")).databaseRestarted
  },
  {
    name: "storage/failover-loses-the-tail",
    load: async () => (await import("./failoverLosesTheTail.ts")).failoverLosesTheTail
  },
  {
    name: "watch/resumed-cut-and-compacted",
    load: async () => (await import("./watchersResume.ts")).watchersResume
  }
]
