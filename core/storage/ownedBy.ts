/** Which rows are a project's: what the guard of the database asks of each row, as a condition. Pure. */
import { always, and, type Condition, column, eq, ge, lt } from "../ports/Condition.ts"
import type { Table } from "../ports/Table.ts"

/** All rows, where they belong to no project. */
export const ownedBy = ({ tenant }: Pick<Table<unknown>, "tenant">, project: string): Condition => {
  if (tenant === undefined) return always
  const named = column<string>(tenant.column)
  // "0" is what comes after "/".
  return tenant.isPrefix ? and(ge(named, `${project}/`), lt(named, `${project}0`)) : eq(named, project)
}
