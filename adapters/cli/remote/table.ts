/** Columns for people: as wide as what is in them. */
import { inLine } from "../printed.ts"

export const table = (head: ReadonlyArray<string>, given: ReadonlyArray<ReadonlyArray<string>>): string => {
  const rows = given.map((row) => row.map(inLine))
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** "12 s ago", of microseconds since 1970; by this machine's clock, which may differ from the database's. */
export const ageOf = (atMicros: number | null, nowMillis = Date.now()): string => {
  if (atMicros === null) return "never"
  const seconds = Math.max(0, Math.round(nowMillis / 1_000 - atMicros / 1_000_000))
  if (seconds < 120) return `${seconds} s ago`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`
}
