import type { RunResult } from "../run/Verdict.ts"

/** Nodes that a search may hurt: those tagged as processes or, in a world that tags none, all. */
export const victimsOf = ({ nodes }: RunResult): ReadonlyArray<string> => {
  const tagged = Object.entries(nodes).flatMap(([name, tags]) => (tags.includes("process") ? [name] : []))
  return tagged.length === 0 ? Object.keys(nodes) : tagged
}
