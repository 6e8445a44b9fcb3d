/** A cycle of dependencies in sentences: why each transaction must have come before the next, and that this cannot be. */
import { type Edge, process, realTime, ww, wr } from "./DependencyGraph.ts"

export const explainCycle = (cycle: ReadonlyArray<Edge>, nameOf: (node: number) => string): ReadonlyArray<string> => {
  const sentences = cycle.map(
    (edge) => `${nameOf(edge.from)} came before ${nameOf(edge.to)}: ${because(edge, nameOf)}.`
  )
  return [...sentences, `So ${nameOf(cycle[0]!.from)} would have come before itself.`]
}

function because({ from, key, kind, next, seen, to }: Edge, nameOf: (node: number) => string): string {
  if (kind === process) return `${key} did the one and then the other`
  if (kind === realTime) return `the one was over when the other began`
  if (kind === ww) return `${nameOf(to)} appended ${next} to ${key} right after its ${seen}`
  if (kind === wr) return `${nameOf(to)} read ${key} up to its ${seen}`
  const saw =
    seen === undefined ? `${nameOf(from)} read ${key} as empty` : `${nameOf(from)} read ${key} only up to ${seen}`
  return `${saw}, and ${nameOf(to)} appended ${next} next`
}
