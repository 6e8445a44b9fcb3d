import type { Mutant } from "./Mutant.ts"

export const lockWithoutTimeout: Mutant = {
  name: "lock-without-timeout",
  why: "Sessions wait for row locks without a limit: a client that fell silent holds up everybody behind it.",
  incident: "table A, A3; a silent owner keeps its locks past the lease's margin",
  edits: [
    {
      file: "adapters/postgres/PostgresStorage.ts",
      find: "lock_timeout: String(all.lockTimeoutMillis)",
      replace: 'lock_timeout: "0"'
    }
  ],
  suite: { file: "adapters/postgres/PostgresStorage.test.ts", test: "waits for a lock too long" }
}
