/** What a schema finds wrong with a document, field by field, in words that need no knowledge of schemas. Pure. */
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

export interface FieldProblem {
  /** Names of members and places in lists, the outermost first; empty of the document itself. */
  readonly path: ReadonlyArray<string>
  /** "is missing", 'Expected "small" | "large"'; one line. */
  readonly message: string
}

/** What is said of a field that must be there. */
export const missing = "is missing"

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "MissingKey"
      ? missing
      : issue._tag === "UnexpectedKey"
        ? "there is no such field"
        : SchemaIssue.defaultLeafHook(issue)
})

export const fieldProblems = ({ issue }: Pick<Schema.SchemaError, "issue">): ReadonlyArray<FieldProblem> =>
  issuesOf(issue).issues.map(({ message, path = [] }) => ({
    path: path.map((part) => String(typeof part === "object" ? part.key : part)),
    message: message.replaceAll(/\s+/g, " ")
  }))

/** "spec.size: is missing"; without a path the message alone. */
export const problemLine = ({ message, path }: FieldProblem): string =>
  path.length === 0 ? message : `${path.join(".")}: ${message}`

/** All in one line; of what is no error of a schema, its message. */
export const problemsText = (error: unknown): string =>
  Schema.isSchemaError(error) ? fieldProblems(error).map(problemLine).join("; ") : (error as Error).message
