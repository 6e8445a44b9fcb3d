import type { Mutant } from "./Mutant.ts"

export const auditOfSuccesses: Mutant = {
  name: "audit-of-successes",
  why: "What was refused is not in the audit, though it was done under an idempotency key and is remembered.",
  incident: "audit trails without the attempts that failed (OWASP API10:2019, insufficient logging)",
  runsIn: "identity/",
  edits: [
    {
      file: "core/api/idempotently.ts",
      find: "return Audit.record(tx, {",
      replace: "if (status >= 400) return Effect.void; else return Audit.record(tx, {"
    }
  ]
}
