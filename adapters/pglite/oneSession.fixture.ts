/** The laws of the storage port that one session cannot be asked: an open transaction owns the database, and others wait for its end. */
const overlap = "two transactions that overlap in time"

export const oneSessionExceptions: Readonly<Record<string, string>> = {
  "it sees its own writes, and others only what is committed": "a reader passes a writer",
  "read committed reads what is newest, repeatable read what was when it began to read": overlap,
  "repeatable read refuses to write over what changed meanwhile": overlap,
  "serializable refuses one of two that each read what the other writes": overlap,
  "row locks exclude each other as in Postgres": "locks of single rows, held together",
  "of two that wait for each other one is ended, and nobody waits for ever": "a deadlock",
  "who has waited for its fence in once sees the rows as they were before": overlap,
  "a renewal passes a fence": "a writer that passes a lock"
}
