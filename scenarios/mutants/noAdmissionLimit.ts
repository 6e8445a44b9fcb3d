import type { Mutant } from "./Mutant.ts"

export const noAdmissionLimit: Mutant = {
  name: "no-admission-limit",
  why: "Whoever knocks is let in, however many come at once.",
  incident: "28: AWS 2025-10, Google 2025-06: what recovers together comes back together",
  runsIn: "sessions/",
  edits: [
    {
      file: "core/session/Admission.ts",
      find: "if (retryAfterSeconds !== undefined) {",
      replace: "if (retryAfterSeconds === -1) {"
    }
  ]
}
