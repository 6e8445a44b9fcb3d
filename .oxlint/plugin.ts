/** The rules of this repository that no linter has: its import table, and what would make a run differ from itself. */
import { rule as ambient } from "./ambient.ts"
import { rule as folders } from "./folders.ts"
import { rule as moduleState } from "./moduleState.ts"
import { rule as names } from "./names.ts"

export default {
  meta: { name: "stormglass" },
  rules: { ambient, folders, "module-state": moduleState, names }
}
