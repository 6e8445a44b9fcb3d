/**
 * Runs on all cores, as if they came one after the other.
 *
 * - O1 What comes of it does not depend on the number of workers, nor on which of them is done first: it ends with the first item, in their
 *   order, that is the last one, whatever else had been begun by then.
 */
export interface InOrderOptions<Item, Done> {
  readonly items: ReadonlyArray<Item>
  /** Under way at once; as many again wait at hand, so that no worker waits for this thread. */
  readonly jobs: number
  readonly run: (item: Item) => Promise<Done>
  /** Nothing after it counts. */
  readonly isLast: (done: Done) => boolean
  /** Nothing more begins. */
  readonly isOver: () => boolean
}

/** In the order of the items, without gaps: fewer when it was over before, as what had begun by then is ended all the same. */
export const inOrder = async <Item, Done>(options: InOrderOptions<Item, Done>): Promise<ReadonlyArray<Done>> => {
  const { isLast, isOver, items, jobs, run } = options
  const done = new Map<number, Done>()
  let next = 0
  let end = items.length
  const work = async (): Promise<void> => {
    while (next < end && !isOver()) {
      const index = next++
      const one = await run(items[index] as Item)
      done.set(index, one)
      if (isLast(one)) end = Math.min(end, index + 1)
    }
  }
  await Promise.all(Array.from({ length: jobs * 2 }, work))
  return [...done]
    .filter(([index]) => index < end)
    .toSorted(([left], [right]) => left - right)
    .map(([, one]) => one)
}
