import type { Mutant } from "./Mutant.ts"

export const eventApart: Mutant = {
  name: "event-apart",
  why: "That an instance failed is told in a transaction of its own, after the one in which it did: whoever dies between the two has told nothing.",
  incident:
    "kubernetes: events are sent beside the change, at best; those of a controller that is killed are missing when it is asked why",
  runsIn: "fleet/poisoned",
  edits: [
    {
      file: "core/instance/InstanceReconciler.ts",
      find: `        if (moved !== undefined) yield* Event.record(tx, instanceEvents.moved(instance, moved))
        return moved
      }),
      options
    )
`,
      replace: `        return moved
      }),
      options
    ).pipe(
      Effect.tap((moved) => moved === undefined ? Effect.void : transaction((tx) => Event.record(tx, instanceEvents.moved(instance, moved)), options)))
`
    }
  ]
}
