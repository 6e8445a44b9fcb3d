import type { Mutant } from "./Mutant.ts"

// covers A11
export const deletionByName: Mutant = {
  name: "deletion-by-name",
  why: "A deletion asks for whoever has the name, not for the uid it was given.",
  incident: "rabbitmq operator #648, cass-operator #118",
  edits: [
    {
      file: "core/api/InstancesApi.ts",
      find: "Instance.requestDeletion(transaction, [instance.uid])",
      replace:
        "Instance.requestDeletion(transaction, (yield* transaction.select(Instance.instances, { where: (row) => eq(row.name, instance.name) })).map(({ uid }) => uid))"
    }
  ]
}
