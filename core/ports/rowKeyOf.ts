/**
 * What a row is called within its table: the values of its primary key, joined by "/". Within every value but the first a "/" is
 * escaped as in a path ("%2F", and "%25" for the "%" that says so), so that no two rows are called the same; the first needs none, as it
 * is known how many values follow it.
 */
export const rowKeyOf = (primaryKey: ReadonlyArray<string>, row: Readonly<Record<string, unknown>>): string => {
  let key = String(row[primaryKey[0]!])
  for (let position = 1; position < primaryKey.length; position++) {
    key += `/${escaped(String(row[primaryKey[position]!]))}`
  }
  return key
}

function escaped(value: string): string {
  return value.includes("/") || value.includes("%") ? value.replaceAll("%", "%25").replaceAll("/", "%2F") : value
}
