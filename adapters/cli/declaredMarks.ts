/**
 * Every mark that the control plane declares, read from its sources: one that no code path ever visited is known all the
 * same, and a sweep can miss it.
 */
import { readdirSync, readFileSync } from "node:fs"
import type { Kind } from "../../core/facts/Mark.ts"

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
