import type { Mutant } from "./Mutant.ts"

// covers A20
export const fenceWithoutLock: Mutant = {
  name: "fence-without-lock",
  why: "The fence reads the lease's epoch and does not lock it: a take-over commits between the look and the write.",
  incident: "measured: a sub-select of the epoch lets a stale write through after a wait for a row lock",
  edits: [
    {
      file: "adapters/postgres/Sql.ts",
      find: 'order by "key" for key share`',
      replace: 'order by "key"`'
    },
    {
      file: "adapters/postgres/Sql.ts",
      find: 'where "key" = ${key} for key share) as lease`',
      replace: 'where "key" = ${key}) as lease`'
    }
  ],
  suite: { file: "adapters/postgres/PostgresStorage.test.ts", test: "take-over" }
}
