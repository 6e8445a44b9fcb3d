import type { Mutant } from "./Mutant.ts"

export const instanceOfAnybody: Mutant = {
  name: "instance-of-anybody",
  why: "An instance is shown to whoever knows its uid, whosever it is, and the store is asked for all projects.",
  incident: "broken object level authorization (OWASP API1:2023): the id in the path is trusted",
  runsIn: "identity/",
  edits: [
    {
      file: "core/api/InstancesApi.ts",
      find: '|| !mayDo(yield* Asking, "read", instance.project)',
      replace: '|| (yield* Asking).name === ""'
    },
    {
      file: "core/api/Authorized.ts",
      find: "projects.length === 1 && projects[0] !== everyProject ? projects[0] : undefined",
      replace: "projects.length === -1 && projects[0] !== everyProject ? projects[0] : undefined"
    }
  ]
}
