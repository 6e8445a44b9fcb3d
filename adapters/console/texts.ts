/** Short words for people. Pure. */

/** "3 s", "12 min", "4 h", "9 d". */
export const duration = (millis: number): string => {
  const seconds = Math.max(0, Math.floor(millis / 1_000))
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 100) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`
}

/** Of microseconds since 1970; the clock of the database and that of the reader may differ. */
export const ageOf = (atMicros: number, nowMillis: number): string => duration(nowMillis - atMicros / 1_000)

export const counted = (count: number, one: string, many = `${one}s`): string =>
  count === 1 ? `1 ${one}` : `${count.toLocaleString("en")} ${many}`

/** "10 of 32"-like lists without what is zero: "2 starting, 1 failed". */
export const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ")
