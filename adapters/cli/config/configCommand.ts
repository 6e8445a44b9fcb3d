/** `stormglass config`: what a process would be told, and by what. */
import { table } from "../remote/table.ts"
import { type Resolved, type Settings, show } from "./Setting.ts"

/** A table, or its document. No secret is in it. */
export const configText = <S extends Settings>(settings: S, resolved: Resolved<S>, isJson: boolean): string => {
  const shown = show(settings, resolved)
  if (isJson) return JSON.stringify(shown, null, 2)
  return table(
    ["setting", "value", "from", "flag", "variable"],
    shown.map(({ flag, name, origin, value, variable }) => [name, value, origin.name, flag ?? "", variable])
  )
}
