/**
 * Every mark that the control plane declares, read from its sources: one that no code path ever visited is known all the
 * same, and a sweep can miss it.
 */
import { readdirSync, readFileSync } from "node:fs"
import type { Kind } from "../../core/facts/Mark.ts"
import type { Summary } from "./campaign/Summary.ts"

export interface DeclaredMark {
  readonly kind: Kind
  readonly name: string
}

const declaration = /Mark\.(sometimes|always|reachable|unreachable)\(\s*"([^"]+)"/g

export const declaredMarks = (): ReadonlyArray<DeclaredMark> => {
  const root = new URL("../../core/", import.meta.url)
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => /(?<!\.test|\.d)\.[jt]s$/.test(file))
    .toSorted()
    .flatMap((file) => [...readFileSync(new URL(file, root), "utf8").matchAll(declaration)])
    .map(([, kind, name]) => ({ kind: kind as Kind, name: name as string }))
}

/** Declared by a scenario or by the control plane, to be met sometimes, and met by no run. */
export const coldMarks = (summary: Summary, isWhole: boolean): ReadonlyArray<string> => {
  const counted = summary.scenarios.flatMap(({ marks }) => Object.entries(marks))
  const met = new Set(counted.flatMap(([name, { holds }]) => (holds > 0 ? [name] : [])))
  const ofCore = declaredMarks()
  // A program of the user's need not be the control plane.
  const hasCore = isWhole || ofCore.some(({ name }) => counted.some(([other]) => other === name))
  const declared = [...counted.map(([name, { kind }]) => ({ kind, name })), ...(hasCore ? ofCore : [])]
  const cold = declared.filter(({ kind, name }) => (kind === "sometimes" || kind === "reachable") && !met.has(name))
  return [...new Set(cold.map(({ name }) => name))].toSorted()
}
