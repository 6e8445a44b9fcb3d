/** In words, why a history is not linearizable: how far it can be explained, and what happens to be said next. */
import type { Model, Operation } from "./Model.ts"
import type { DeadEnd } from "./PartSearch.ts"

const orderShown = 8
const openShown = 12

export const explainUnplaced = <State, Input, Output>(
  model: Model<State, Input, Output>,
  end: DeadEnd<State, Input, Output>
): ReadonlyArray<string> => {
  const { open, order, state, unplaced } = end
  const said = (operation: Operation<Input, Output>) =>
    `${model.describe(operation.input, operation.output)}  (process ${operation.process}${operation.where === undefined ? "" : `, ${operation.where}`})`
  const left = order.length - orderShown
  return [
    `No order explains ${said(unplaced)}.`,
    order.length === 0
      ? "Nothing was answered before it."
      : `What was answered before it can be explained, by ${left > 0 ? `${left === 1 ? "one operation" : `${left} operations`} and then` : "this order"}:`,
    ...order.slice(-orderShown).map((operation) => `  ${said(operation)}`),
    `Then ${model.describeState(state)}, and of what was called by then there is left:`,
    ...open.slice(0, openShown).map((operation) => {
      const after = model.step(state, operation.input, operation.output, operation.times)
      const what =
        after === undefined
          ? "cannot be next"
          : model.equals(after, state)
            ? "changes nothing"
            : `would make it so that ${model.describeState(after)}, and leads nowhere`
      return `  ${said(operation)}: ${what}`
    }),
    ...(open.length > openShown ? [`  and ${open.length - openShown} more`] : [])
  ]
}
