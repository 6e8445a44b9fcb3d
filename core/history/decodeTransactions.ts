/**
 * List-append transactions as they are written: `f` is `txn` and `value` a list of `["append", key, element]` and `["r", key, elements]`, of which
 * a call has null for what is to be read, and an answer of ok the same operations with what was read (Jepsen's and Elle's form). Each is named after the line of its call: T7; those that
 * share one, T7, T7.2, T7.3.
 */
import { type Exchange, type HistoryRecord, Unreadable } from "./HistoryRecord.ts"
import { append, type ListOperation, type ListTransaction, read } from "./ListAppend.ts"
import { showValue, type Value } from "./Value.ts"

export const transactionOperations = {
  txn: '[["append", key, number] or ["r", key, [number …]] …]; a call reads null; the answer is fail where it was aborted'
} as const

/** Throws `Unreadable`. */
export const decodeTransactions = (exchanges: ReadonlyArray<Exchange>): ReadonlyArray<ListTransaction> => {
  const onLine = new Map<number, number>()
  return exchanges.map(({ answer, call, called, returned }) => {
    const nth = (onLine.get(call.line) ?? 0) + 1
    onLine.set(call.line, nth)
    if (call.f !== "txn") throw new Unreadable(call.line, `unknown operation ${call.f}; there is txn`)
    const outcome =
      answer === undefined || answer.type === "info" ? "unknown" : answer.type === "ok" ? "committed" : "aborted"
    const asked = operationsOf(call, false)
    return {
      name: nth === 1 ? `T${call.line}` : `T${call.line}.${nth}`,
      outcome,
      process: call.process,
      times: { called, returned: outcome === "committed" ? returned : Infinity },
      operations: outcome === "committed" ? answeredBy(answer!, call, asked) : asked
    }
  })
}

/** Those that were asked for, with what was read. Throws `Unreadable` where the answer is that of another transaction. */
function answeredBy(
  answer: HistoryRecord,
  call: HistoryRecord,
  asked: ReadonlyArray<ListOperation>
): ReadonlyArray<ListOperation> {
  const answered = operationsOf(answer, true)
  const differs = (what: string): Unreadable =>
    new Unreadable(answer.line, `txn: it answers another transaction than was called on line ${call.line}: ${what}`)
  if (answered.length !== asked.length) throw differs(`${answered.length} operations, not ${asked.length}`)
  for (const [at, operation] of asked.entries()) {
    if (!isAnsweredBy(operation, answered[at]!))
      throw differs(`${partOf(answer, at)} where ${partOf(call, at)} was asked for`)
  }
  return answered
}

function isAnsweredBy(asked: ListOperation, answered: ListOperation): boolean {
  if (asked.key !== answered.key) return false
  if (asked._tag === "Append") return answered._tag === "Append" && asked.value === answered.value
  const { values } = asked
  if (answered._tag !== "Read") return false
  // Some recorders write down with the call what was read.
  return (
    values === undefined ||
    (values.length === answered.values?.length && values.every((value, at) => value === answered.values?.[at]))
  )
}

function partOf({ value }: HistoryRecord, at: number): string {
  return showValue((value as ReadonlyArray<Value>)[at]!)
}

function operationsOf({ line, value }: HistoryRecord, isAnswered: boolean): ReadonlyArray<ListOperation> {
  if (!Array.isArray(value))
    throw new Unreadable(line, `txn: its value is a list of operations, not ${showValue(value)}`)
  return value.map((operation: Value): ListOperation => {
    const [f, key, rest] = Array.isArray(operation) && operation.length === 3 ? (operation as ReadonlyArray<Value>) : []
    const name = typeof key === "string" ? key : showValue(key ?? null)
    if (f === "append" && typeof rest === "number") return append(name, rest)
    if (f === "r" || f === "read") {
      if (Array.isArray(rest) && rest.every((element) => typeof element === "number")) return read(name, rest)
      // A list that is not there is empty to those who were answered.
      if (rest === null || rest === undefined) return read(name, isAnswered ? [] : undefined)
    }
    throw new Unreadable(line, `txn: ${showValue(operation)} is neither [append key number] nor [r key [number …]]`)
  })
}
