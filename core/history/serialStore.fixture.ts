import { append, type ListTransaction, read } from "./ListAppend.ts"

/** What a store says that runs one transaction after the other, and the lists that are in it then. */
export interface SerialStore {
  readonly history: ReadonlyArray<ListTransaction>
  readonly lists: ReadonlyMap<string, ReadonlyArray<number>>
}

/**
 * Twenty clients; each transaction took effect at a moment of its own, and those of twenty moments overlap. Each reads another list, reads one
 * and appends to it.
 */
export const serialStore = (transactions: number): SerialStore => {
  const lists = new Map<string, Array<number>>()
  const listOf = (key: string) => lists.get(key) ?? lists.set(key, []).get(key)!
  const history = Array.from({ length: transactions }, (_, at): ListTransaction => {
    const key = `k${Math.floor(at / 20)}`
    const other = `k${Math.max(0, Math.floor(at / 20) - (at % 3))}`
    const operations = [read(other, listOf(other).slice()), read(key, listOf(key).slice()), append(key, at)]
    listOf(key).push(at)
    const times = { called: at * 20 - 150, returned: at * 20 + 150 }
    return { name: `S${at}`, operations, outcome: "committed", process: `c${at % 20}`, times }
  })
  return { history, lists }
}
