/** How the operations of a model are written in histories, and operations out of what was written. */
import { ModelThrew } from "./guardModel.ts"
import { type Exchange, type HistoryRecord, Unreadable } from "./HistoryRecord.ts"
import type { Operation } from "./Model.ts"
import { showValue, type Value } from "./Value.ts"

export type Decoded<Input, Output> =
  /** `output` is `undefined` where nobody knows. */
  | { readonly input: Input; readonly output: Output | undefined }
  /** It certainly never happened, or says nothing. */
  | "nothing"

/** What was asked of an object, and what it said. */
export interface Saying {
  readonly f: string
  /** Of the call. */
  readonly value: Value
  readonly answer: "ok" | "fail" | "unknown"
  /** Of the answer; null where there is none. */
  readonly answered: Value
  /** Whether a failure had a reason of its own, such as a timeout. */
  readonly hasError: boolean
}

export interface Dialect<Input, Output> {
  /** Name to what its value is: "[from to]". */
  readonly operations: Readonly<Record<string, string>>
  /** Asked only about `operations`. Throws `Misspelt`. */
  readonly decode: (saying: Saying) => Decoded<Input, Output>
}

/** What a value should have been. */
export class Misspelt extends Error {
  override readonly name = "Misspelt"
}

export const requireNumber = (what: string, value: Value): number => {
  if (typeof value === "number") return value
  throw new Misspelt(`${what} is a number, not ${showValue(value)}`)
}

/** The operations of a history, in the order of their calls. Throws `Unreadable`, and `ModelThrew` where the dialect throws what is not `Misspelt`. */
export const decode = <Input, Output>(
  dialect: Dialect<Input, Output>,
  exchanges: ReadonlyArray<Exchange>
): ReadonlyArray<Operation<{ readonly key: string; readonly input: Input }, Output>> =>
  exchanges.flatMap((exchange) => {
    const { answer, call, called } = exchange
    const decoded = decodeOne(dialect, call, answer)
    if (decoded === "nothing") return []
    const { input, output } = decoded
    const isAnswered = output !== undefined && answer !== undefined
    const operation: Operation<{ readonly key: string; readonly input: Input }, Output> = {
      process: call.process,
      input: { key: call.key, input },
      output,
      called,
      returned: isAnswered ? exchange.returned : Infinity,
      where: answer === undefined ? `line ${call.line}` : `lines ${call.line} and ${answer.line}`,
      ...(call.time === undefined
        ? {}
        : { times: { called: call.time, returned: isAnswered ? (answer.time ?? Infinity) : Infinity } })
    }
    return [operation]
  })

function decodeOne<Input, Output>(
  { decode, operations }: Dialect<Input, Output>,
  call: HistoryRecord,
  answer: HistoryRecord | undefined
): Decoded<Input, Output> {
  if (!Object.hasOwn(operations, call.f)) {
    throw new Unreadable(call.line, `unknown operation ${call.f}; there are ${Object.keys(operations).join(", ")}`)
  }
  const said = answer === undefined || answer.type === "info" ? "unknown" : answer.type === "ok" ? "ok" : "fail"
  try {
    return decode({
      f: call.f,
      value: call.value,
      answer: said,
      answered: answer?.value ?? null,
      hasError: answer?.error !== undefined
    })
  } catch (error) {
    if (!(error instanceof Misspelt)) throw new ModelThrew("decode", `${call.f} (line ${call.line})`, error)
    const lines = answer === undefined ? "" : `, answered on line ${answer.line}`
    throw new Unreadable(call.line, `${call.f}${lines}: ${error.message}`)
  }
}
