/** What the checkers of histories take: Porcupine's histories, where they are at hand, and a serial store's transactions. */
import * as Porcupine from "../../../core/history/Porcupine.fixture.ts"
import * as Isolation from "../../../core/history/Isolation.ts"
import { type ListTransaction, append, read } from "../../../core/history/ListAppend.ts"
import { UsageError } from "../Usage.ts"
import type { Work } from "./figures.ts"

/** Reading and judging; throws where a verdict is not the known one. */
export const porcupine = (isMeant: (row: Porcupine.Row) => boolean): (() => Work) => {
  const rows = Porcupine.rows().filter(isMeant)
  if (rows.length === 0)
    throw new UsageError(`Porcupine's histories are not at ${Porcupine.directory}: set STORMGLASS_PORCUPINE`)
  return () => {
    for (const row of rows) {
      const judgement = Porcupine.begin(row, 512 * 2 ** 20).advance(Infinity)
      if ((judgement?._tag === "Linearizable") !== row.isLinearizable) throw new Error(`${row.file} was judged wrongly`)
    }
    return { count: rows.length, virtualSeconds: 0 }
  }
}

/** Twenty clients of a serial store, twenty transactions at a time: read another list, read one, append to it. */
export const serialStore = (transactions: number, hasTimes: boolean): (() => Work) => {
  const lists = new Map<string, Array<number>>()
  const listOf = (key: string) => lists.get(key) ?? lists.set(key, []).get(key)!
  const history = Array.from({ length: transactions }, (_, at): ListTransaction => {
    const key = `k${Math.floor(at / 20)}`
    const other = `k${Math.max(0, Math.floor(at / 20) - (at % 3))}`
    const operations = [read(other, listOf(other).slice()), read(key, listOf(key).slice()), append(key, at)]
    listOf(key).push(at)
    const times = { called: at * 20 - 150, returned: at * 20 + 150 }
    return { name: `T${at}`, operations, outcome: "committed", process: `c${at % 20}`, ...(hasTimes ? { times } : {}) }
  })
  return () => {
    const { anomalies } = Isolation.check(history)
    if (anomalies.length > 0) throw new Error("a serial store has no anomalies")
    return { count: transactions, virtualSeconds: 0 }
  }
}
