import { describe } from "vitest"
import { simProperty } from "../adapters/vitest/simTest.ts"
import { kindsOf } from "../sim/nemesis/faultKinds.ts"
import { duplicatesAcrossNodes } from "./duplicatesAcrossNodes.ts"
import { leaderPausedInTheMiddle } from "./leaderPausedInTheMiddle.ts"

describe("whatever the plan, the topology and the workload", () => {
  // covers A33
  simProperty(
    "split brain: nobody acts under a lease that is another's, and no stale epoch writes",
    leaderPausedInTheMiddle,
    { kinds: kindsOf("network", "process", "clock/drift", "clock/skew") }
  )

  simProperty("idempotency: one key has one effect and one answer", duplicatesAcrossNodes, {
    kinds: kindsOf("clients", "storage", "network/answer-lost", "network/duplication", "process/kill")
  })
})
