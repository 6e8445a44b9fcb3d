/**
 * JSON with the keys of objects in order and no spaces (as RFC 8785, without its number format): equal documents have
 * equal texts. Members that are undefined are left out, as `JSON.stringify` does.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(sorted(value)) ?? "null"

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  const record = value as Readonly<Record<string, unknown>>
  // A prototype-free object, so that a member named "__proto__" is a member.
  const copy: Record<string, unknown> = Object.create(null)
  for (const key of Object.keys(record).toSorted()) copy[key] = sorted(record[key])
  return copy
}
