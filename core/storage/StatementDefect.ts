/** A statement that no database would carry out: a mistake of the caller, never an outcome to handle. */
export class StatementDefect extends Error {
  override readonly name = "StatementDefect"
}
