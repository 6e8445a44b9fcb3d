import { make, plan } from "./ControlPlaneScenario.ts"

// covers A2, A5
export const answerLostAfterCommit = make({
  name: "idempotency/answer-lost-after-commit",
  story: `The effect is there and the answer is not: the connection breaks after COMMIT, or the node's answer never reaches the client. Whoever
asks again, here or elsewhere, gets the first answer and no second effect.`,
  parameters: { clients: [2, 4] },
  faults: (_draw, { throughout }) =>
    plan(
      throughout("storage/cut-after-commit", [0.02, 0.2]),
      throughout("storage/cut-before-commit", [0.01, 0.1]),
      throughout("network/answer-lost", [0.02, 0.3]),
      throughout("clients/duplicate-retry", [0.1, 0.5])
    )
})
