import type { Mutant } from "./Mutant.ts"

export const lostCommitIsRetried: Mutant = {
  name: "lost-commit-is-retried",
  why: "A commit whose answer never came counts as one that did not happen, and is done again.",
  incident: "Jepsen on etcd and PostgreSQL clients: a commit of unknown outcome repeated blindly applies twice",
  edits: [
    {
      file: "adapters/postgres/PostgresStorage.ts",
      find: "const isUnknown = mayHaveCommitted && wasSent",
      replace: "const isUnknown = mayHaveCommitted && wasSent && label === undefined"
    }
  ],
  suite: { file: "adapters/postgres/PostgresStorage.test.ts", test: "unknown" }
}
