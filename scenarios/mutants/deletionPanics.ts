import type { Mutant } from "./Mutant.ts"

export const deletionPanics: Mutant = {
  name: "deletion-panics",
  why: "Asking for the end of an instance ends in a defect: the client is told 500, and asks until its patience ends.",
  incident: "a nil dereference in one handler, which the server recovers from and nobody sees",
  edits: [
    {
      file: "core/api/InstancesApi.ts",
      find: "    const instance = yield* transaction.get(Instance.instances, { uid })\n    if",
      replace:
        "    const instance: Instance.Instance | undefined = yield* Effect.die(new TypeError('no such field'))\n    if"
    }
  ]
}
