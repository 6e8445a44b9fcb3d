import type { Mutant } from "./Mutant.ts"

// covers A13
export const edgeTriggeredReconcile: Mutant = {
  name: "edge-triggered-reconcile",
  why: "A key is looked at when it first shows up, and then only if that look asked for another.",
  incident: "table A, A13; Sieve: unobserved states (OSDI 2022)",
  edits: [
    {
      file: "core/reconcile/Reconciler.ts",
      find: "  const known = new Map<string, W>()",
      replace: "  const known = new Map<string, W>(), seen = new Set<string>()"
    },
    {
      file: "core/reconcile/Reconciler.ts",
      find: "        if (!grants.has(work.bucketGroup)) continue\n        known.set(work.key, work)",
      replace:
        "        if (!grants.has(work.bucketGroup) || seen.has(work.key)) continue\n        seen.add(work.key), known.set(work.key, work)"
    }
  ]
}
