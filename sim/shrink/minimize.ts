/**
 * Delta debugging (Zeller and Hildebrandt, 2002) over a list, as steps: whoever drives it answers each question. Chunks are taken
 * away, half of the list first and single items last, for as long as what is left still fails; at the end no single item can be
 * spared.
 */

/** Questions `Q` go out, answers `R` come in, `A` is what is found. */
export type Steps<Q, A, R> = Generator<Q, A, R>

export function* minimize<A, Q, R>(
  items: ReadonlyArray<A>,
  fails: (kept: ReadonlyArray<A>) => Steps<Q, boolean, R>
): Steps<Q, ReadonlyArray<A>, R> {
  if (items.length === 0) return items
  if (yield* fails([])) return []
  let kept = items
  let size = Math.ceil(kept.length / 2)
  while (kept.length > 1) {
    const before = kept.length
    for (let start = 0; start < kept.length && kept.length > 1;) {
      const rest = [...kept.slice(0, start), ...kept.slice(start + size)]
      // The empty list was asked for already.
      if (rest.length > 0 && (yield* fails(rest))) kept = rest
      else start += size
    }
    // One item less may make another one dispensable: the last round is repeated until it finds none.
    if (size === 1 && kept.length === before) break
    size = Math.ceil(size / 2)
  }
  return kept
}

/**
 * The least number between the bounds, both included, that still fails, given that `most` does: by halving, so it is the least
 * only where more fails whenever less does.
 */
export function* least<Q, R>(
  minimum: number,
  most: number,
  fails: (value: number) => Steps<Q, boolean, R>
): Steps<Q, number, R> {
  if (minimum >= most) return most
  if (yield* fails(minimum)) return minimum
  let passing = minimum
  let failing = most
  while (failing - passing > 1) {
    const middle = Math.floor((passing + failing) / 2)
    if (yield* fails(middle)) failing = middle
    else passing = middle
  }
  return failing
}
