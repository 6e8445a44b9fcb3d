import type { Mutant } from "./Mutant.ts"

export const bucketDiffersWhereRead: Mutant = {
  name: "bucket-differs-where-read",
  why: "Rows are stored under their bucket group and looked for under their bucket.",
  incident: "table A, A34: a bucket computed differently in SQL and in code",
  edits: [
    {
      file: "core/BucketWork.ts",
      find: "and(isIn(row.bucketGroup, bucketGroups), le(row.dueAt, clockTimestamp))",
      replace: "and(isIn(row.bucket, bucketGroups), le(row.dueAt, clockTimestamp))"
    }
  ]
}
