import type { Mutant } from "./Mutant.ts"

export const quotaReadWithoutLock: Mutant = {
  name: "quota-read-without-lock",
  why: "What a project wants is counted without a lock on its quota: two who add at once both see what was wanted before either.",
  incident: "Kubernetes ResourceQuota without its compare-and-swap of used: quotas overrun by concurrent creations",
  runsIn: "api/quota",
  edits: [
    {
      file: "core/quota/Quota.ts",
      find: 'transaction.get(quotas, { project }, { lock: "for update" })',
      replace: "transaction.get(quotas, { project })"
    }
  ]
}
