import { readFileSync } from "node:fs"
import { applyEdit, type MutantEdits, pathOf } from "../../sim/host/installMutant.ts"

/** What the edits make of the present sources. Throws where one does not fit. */
export const planted = (edits: MutantEdits["edits"]): ReadonlyArray<string> => {
  const edited = new Map<string, string>()
  for (const edit of edits) {
    edited.set(edit.file, applyEdit(edited.get(edit.file) ?? readFileSync(pathOf(edit.file), "utf8"), edit))
  }
  return [...edited.values()]
}

/** Whether both can be planted: one may change the very lines of the other. */
export const fits = (mutant: MutantEdits, neutral: MutantEdits): boolean => {
  try {
    return planted([...mutant.edits, ...neutral.edits]).length > 0
  } catch {
    return false
  }
}
