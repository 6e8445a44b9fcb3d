import { describe } from "vitest"
import { simProperty } from "../adapters/vitest/simTest.ts"
import { kindsOf } from "../sim/nemesis/faultKinds.ts"
import { duplicatesAcrossNodes } from "./duplicatesAcrossNodes.ts"
import { third } from "./third.fixture.ts"
import { leaderPausedInTheMiddle } from "./leaderPausedInTheMiddle.ts"

const splitBrain = () =>
  // covers A33
  simProperty(
    "split brain: nobody acts under a lease that is another's, and no stale epoch writes",
    leaderPausedInTheMiddle,
    { kinds: kindsOf("network", "process", "clock/drift", "clock/skew") }
  )

const idempotency = () =>
  simProperty("idempotency: one key has one effect and one answer", duplicatesAcrossNodes, {
    kinds: kindsOf("clients", "storage", "network/answer-lost", "network/duplication", "process/kill")
  })

describe("whatever the plan, the topology and the workload", () => {
  for (const property of third([splitBrain, idempotency])) property()
})
