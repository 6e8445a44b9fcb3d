/**
 * What makes two failures the same: the invariant and the kind of its evidence, not the ids, moments and nodes in it.
 */
import type { Verdict } from "../run/Verdict.ts"

/** Equal for two verdicts that show the same defect; empty for a run that passed. */
export const violationOf = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "passed":
      return ""
    case "violated":
      return `violated ${verdict.invariant}: ${kindOf(verdict.message)} (${Object.keys(verdict.evidence).join(", ")})`
    case "stalled":
      return `stalled ${kindOf(verdict.reason.split(":")[0] as string)}`
    case "crashed":
      return `crashed ${kindOf(verdict.cause.split("\n")[0] as string)}`
    case "escaped":
      return `escaped ${verdict.api}`
  }
}

/** A message without what differs from run to run: words that hold a digit (ids, nodes, numbers), and what is quoted. */
function kindOf(message: string): string {
  return message
    .replaceAll(/"[^"]*"|\[[^\]]*\]|\{[^}]*\}/g, "…")
    .replaceAll(/[^\s,;:()]*\d[^\s,;:()]*/g, "#")
    .replaceAll(/#(,? (and )?#)+/g, "#")
}
