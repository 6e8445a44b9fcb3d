import type { Mutant } from "./Mutant.ts"

export const readsFromMemory: Mutant = {
  name: "reads-from-memory",
  why: "A node answers reads of a fleet from what it has read before, and others have written since.",
  incident: "kubernetes #59848: stale reads from the cache of another API server",
  edits: [
    {
      file: "core/api/FleetsApi.ts",
      find: "    const feed = yield* Feed\n",
      replace: "    const feed = yield* Feed, known = new Map<string, Fleet.Fleet>()\n"
    },
    {
      file: "core/api/FleetsApi.ts",
      find: 'const fleet = yield* once((tx) => tx.get(Fleet.fleets, { id }), { label: "fleets/get" })',
      replace:
        'const fleet = known.get(id) ?? (yield* once((tx) => tx.get(Fleet.fleets, { id }), { label: "fleets/get" })); if (fleet !== undefined) known.set(id, fleet)'
    }
  ]
}
