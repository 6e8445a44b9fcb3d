import type { Mutant } from "./Mutant.ts"

export const stopByName: Mutant = {
  name: "stop-by-name",
  why: "Whatever bears the name of what is stopped is stopped with it: also the one that has come after it.",
  incident: "kubernetes #23731, outside: a new bearer of a name taken for the old",
  edits: [
    {
      file: "core/instance/InstanceReconciler.ts",
      find: "yield* effectUnderGrant(provider.stop(uid), {",
      replace:
        "yield* effectUnderGrant(Effect.andThen(provider.stop(uid), Effect.flatMap(provider.list, (all) => Effect.forEach(all.filter((other) => other.slice(0, -17) === uid.slice(0, -17)), (other) => provider.stop(other)))), {"
    }
  ]
}
