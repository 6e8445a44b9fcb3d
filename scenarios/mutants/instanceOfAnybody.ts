import type { Mutant } from "./Mutant.ts"

export const instanceOfAnybody: Mutant = {
  name: "instance-of-anybody",
  why: "An instance is shown to whoever knows its uid, whosever it is.",
  incident: "broken object level authorization (OWASP API1:2023): the id in the path is trusted",
  runsIn: "identity/",
  edits: [
    {
      file: "core/api/InstancesApi.ts",
      find: '|| !mayDo(yield* Asking, "read", instance.project)',
      replace: '|| (yield* Asking).name === ""'
    }
  ]
}
