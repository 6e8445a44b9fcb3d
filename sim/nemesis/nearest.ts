/** The name that was probably meant, for what somebody wrote by hand. */

/** The nearest by edits, if it is near at all. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const ranked = known
    .map((candidate) => ({ candidate, edits: editsBetween(name, candidate) }))
    .toSorted((left, right) => left.edits - right.edits)
  const best = ranked[0]
  const part = known.find((candidate) => candidate.includes(name))
  return best !== undefined && best.edits <= Math.max(2, name.length / 3) ? best.candidate : part
}

/** "; did you mean "leader"?", or nothing where nothing is near: the end of a line that says what there is not. */
export const orNearest = (name: string, known: ReadonlyArray<string>): string => {
  const near = nearest(name, known)
  return near === undefined ? "" : `; did you mean "${near}"?`
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
