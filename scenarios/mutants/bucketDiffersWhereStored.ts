import type { Mutant } from "./Mutant.ts"

// covers A34
export const bucketDiffersWhereStored: Mutant = {
  name: "bucket-differs-where-stored",
  why: "An instance is stored under the bucket of its name and looked for under that of its uid.",
  incident: "table A, A34: a bucket computed differently in SQL and in code",
  edits: [
    {
      file: "core/instance/Instance.ts",
      find: "      ...placementOf(each.uid),\n",
      replace: "      ...placementOf(each.name),\n"
    }
  ]
}
