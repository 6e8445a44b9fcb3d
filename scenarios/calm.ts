import * as ControlPlaneScenario from "./ControlPlaneScenario.ts"

export const calm = ControlPlaneScenario.make({
  name: "calm",
  story: "Nothing fails. What is asked for is there soon, and then nobody writes without a reason.",
  safetyMillis: 40_000,
  faults: () => ({ version: 1, faults: [] })
})
