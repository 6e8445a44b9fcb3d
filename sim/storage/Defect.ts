/** A statement that Postgres would refuse whatever the data: a mistake of the caller, never an outcome to handle. */
export class StatementDefect extends Error {
  override readonly name = "StatementDefect"
}
