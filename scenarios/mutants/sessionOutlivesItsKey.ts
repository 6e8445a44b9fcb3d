import type { Mutant } from "./Mutant.ts"

export const sessionOutlivesItsKey: Mutant = {
  name: "session-outlives-its-key",
  why: "Who was let in stays in: that his key has ended since is taken for an answer that all is well.",
  incident:
    "streams and sessions that were authorized once, at their beginning, and go on after the credential was revoked",
  runsIn: "identity/",
  edits: [
    {
      file: "core/session/KeyHeld.ts",
      find: 'if (judged._tag === "Some" && refusal === undefined) {',
      replace: 'if (judged._tag === "Some") {'
    }
  ]
}
