/**
 * Calls and their answers, put together: a process has one call at a time. After an answer of type `info` it may go on, as
 * another client would: what it had asked for may happen at any time since.
 */
import { type Exchange, type HistoryRecord, Unreadable } from "./HistoryRecord.ts"

/** In the order of the calls. Throws `Unreadable`. */
export const pairRecords = (records: ReadonlyArray<HistoryRecord>): ReadonlyArray<Exchange> => {
  const exchanges: Array<Exchange> = []
  const open = new Map<string, number>()
  let last: HistoryRecord | undefined
  for (const [position, record] of records.entries()) {
    const { f, line, process, time, type } = record
    if (time !== undefined) {
      if (last?.time !== undefined && time < last.time) {
        throw new Unreadable(line, `the clock goes backwards: ${time}, after ${last.time} on line ${last.line}`)
      }
      last = record
    }
    const at = open.get(process)
    if (type === "invoke") {
      if (at !== undefined) {
        const { call } = exchanges[at]!
        throw new Unreadable(
          line,
          `process ${process} calls ${f} while its ${call.f} of line ${call.line} has no answer; one process does one thing at a time`
        )
      }
      open.set(process, exchanges.length)
      exchanges.push({ call: record, answer: undefined, called: position, returned: Infinity })
      continue
    }
    if (at === undefined) {
      throw new Unreadable(
        line,
        `process ${process} is answered ${type} to ${f} and has called nothing; is the beginning of the history missing?`
      )
    }
    const { call, called } = exchanges[at]!
    if (call.f !== f)
      throw new Unreadable(
        line,
        `process ${process} is answered to ${f}, and had called ${call.f} on line ${call.line}`
      )
    open.delete(process)
    exchanges[at] = { call, answer: record, called, returned: type === "info" ? Infinity : position }
  }
  return exchanges
}
