/** Why a spec cannot become another one. Pure. */
import { canonicalJson } from "../json/canonicalJson.ts"
import type { Spec } from "../ports/Provider.ts"

/** Nobody reads more of a value. */
const valueCharsMax = 100

/** Which fields differ and what to do, in one line; undefined where none does. `what` is there: "fleet shop/web". */
export const otherSpec = (what: string, present: Spec, wanted: Spec): string | undefined => {
  const fields = (Object.keys(wanted) as ReadonlyArray<keyof Spec>).filter(
    (field) => canonicalJson(present[field]) !== canonicalJson(wanted[field])
  )
  if (fields.length === 0) return undefined
  const told = fields.map((field) => `${field} is ${shown(present[field])}, not ${shown(wanted[field])}`)
  return `${what} has another spec: ${told.join(", and ")}; a spec never changes: delete it and apply it again, or take another name`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length <= valueCharsMax ? text : `${text.slice(0, valueCharsMax).toWellFormed()}…`
}
