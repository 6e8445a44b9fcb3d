/** What the checkers of histories take: Porcupine's histories, where they are at hand, and a serial store's transactions. */
import * as Porcupine from "../../../core/history/Porcupine.fixture.ts"
import * as Isolation from "../../../core/history/Isolation.ts"
import type { ListTransaction } from "../../../core/history/ListAppend.ts"
import { serialStore } from "../../../core/history/serialStore.fixture.ts"
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

/** The transactions of a serial store, with their times or without. */
export const serial = (transactions: number, hasTimes: boolean): (() => Work) => {
  const history = serialStore(transactions).history.map(({ times, ...rest }): ListTransaction =>
    hasTimes && times !== undefined ? { ...rest, times } : rest
  )
  return () => {
    const { anomalies } = Isolation.check(history)
    if (anomalies.length > 0) throw new Error("a serial store has no anomalies")
    return { count: transactions, virtualSeconds: 0 }
  }
}
