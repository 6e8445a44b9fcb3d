/**
 * A model of one's own for `stormglass check`: accounts between which money is moved. A transfer concerns two of them, so that
 * they are one object.
 *
 *     npx stormglass check transfers.ndjson --model ./scenarios/examples/accounts.ts
 */
import { toCheckable } from "../../core/history/checkables.ts"
import { type Dialect, Misspelt } from "../../core/history/Dialect.ts"
import type { Model } from "../../core/history/Model.ts"
import { hashValue, sameValue, showValue, type Value } from "../../core/history/Value.ts"

type Balances = { readonly [account: string]: number }
type Input =
  | { readonly _tag: "Balances" }
  | { readonly _tag: "Transfer"; readonly from: string; readonly to: string; readonly amount: number }
/** What was read; whether the money was moved. */
type Output = Balances | boolean

const model: Model<Balances, Input, Output> = {
  name: "accounts",
  initial: { a: 100, b: 100 },
  step: (state, input, output) => {
    if (input._tag === "Balances") return output === undefined || sameValue(state, output) ? state : undefined
    const { amount, from, to } = input
    const isCovered = (state[from] ?? 0) >= amount
    if (output !== undefined && output !== isCovered) return undefined
    if (!isCovered) return state
    const less = { ...state, [from]: (state[from] ?? 0) - amount }
    return { ...less, [to]: (less[to] ?? 0) + amount }
  },
  equals: sameValue,
  hash: hashValue,
  changesNothing: (input, output) => input._tag === "Balances" || output === false,
  describe: (input, output) => {
    const what = input._tag === "Balances" ? "balances" : `transfer ${input.amount} from ${input.from} to ${input.to}`
    return output === undefined ? `${what}, unanswered` : `${what} → ${showValue(output)}`
  },
  describeState: (state) => `the balances are ${showValue(state)}`
}

const dialect: Dialect<Input, Output> = {
  operations: {
    balances: "null; the answer's is {account: amount …}",
    transfer: "[from, to, amount]; the answer is fail where it was not covered"
  },
  decode: ({ answer, answered, f, hasError, value }) => {
    if (f === "balances") {
      if (answer === "fail") return "nothing"
      return { input: { _tag: "Balances" }, output: answer === "ok" ? balancesOf(answered) : undefined }
    }
    if (answer === "fail" && hasError) return "nothing"
    const [from, to, amount] = Array.isArray(value) ? (value as ReadonlyArray<Value>) : []
    if (typeof from !== "string" || typeof to !== "string" || typeof amount !== "number") {
      throw new Misspelt(`its value is [from, to, amount], not ${showValue(value)}`)
    }
    return { input: { _tag: "Transfer", from, to, amount }, output: answer === "unknown" ? undefined : answer === "ok" }
  }
}

/** @public */
export const accounts = toCheckable("accounts", "two accounts of 100 each", model, dialect)

function balancesOf(value: Value): Balances {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Balances
  throw new Misspelt(`the answer is {account: amount …}, not ${showValue(value)}`)
}
