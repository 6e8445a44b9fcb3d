import { all } from "../core/invariants/all.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { answeredAlways } from "./answeredAlways.ts"
import * as ControlPlaneScenario from "./ControlPlaneScenario.ts"

// covers A8, A13
export const calm = ControlPlaneScenario.make({
  name: "calm",
  story: "Nothing fails. What is asked for is there soon, and then nobody writes without a reason.",
  safetyMillis: 40_000,
  invariants: [...all, toCheck(answeredAlways)],
  faults: () => ({ version: 1, faults: [] })
})
