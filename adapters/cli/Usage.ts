/**
 * Wrong usage: one line that says what, where, and what to do instead.
 */

export class UsageError extends Error {
  override readonly name = "UsageError"
}

/** The name that was probably meant: the nearest by edits, if it is near at all. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const ranked = known
    .map((candidate) => ({ candidate, edits: editsBetween(name, candidate) }))
    .toSorted((left, right) => left.edits - right.edits)
  const best = ranked[0]
  const part = known.find((candidate) => candidate.includes(name))
  return best !== undefined && best.edits <= Math.max(2, name.length / 3) ? best.candidate : part
}

/** "there is no scenario "x"; did you mean "y"?" */
export const unknown = (what: string, name: string, known: ReadonlyArray<string>): UsageError => {
  const near = nearest(name, known)
  const hint = near === undefined ? `see \`stormglass list ${what}s\`` : `did you mean "${near}"?`
  return new UsageError(`there is no ${what} "${name}"; ${hint}`)
}

/** Levenshtein's distance. */
function editsBetween(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const substitution = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, substitution))
    }
    row = next
  }
  return row[right.length] as number
}

/** "20", "5..9": the seeds that are meant. `N` alone means 1 to N. */
export const parseSeeds = (text: string): ReadonlyArray<string> => {
  const range = /^(\d+)\.\.(\d+)$/.exec(text)
  const [first, last] = range === null ? [1, Number(text)] : [Number(range[1]), Number(range[2])]
  if (range === null && !/^\d+$/.test(text))
    throw new UsageError(`--seeds "${text}": write a number (20) or a range (5..9)`)
  if (last < first) throw new UsageError(`--seeds "${text}": the range is ${range === null ? "empty" : "backwards"}`)
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index))
}
