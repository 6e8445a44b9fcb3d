/**
 * Failures by what they violated, as text and as a document.
 */
import * as FailureScreen from "../../../reports/FailureScreen.ts"
import { paint } from "../Output.ts"
import type { CampaignRun } from "./CampaignRun.ts"
import type { FailureGroup } from "./groupFailures.ts"

/** Of one group; what is left out is counted. */
const scenariosMax = 6
const seedsMax = 20
const smallsMax = 3
const groupsMax = 20
const widthMax = 150

export const groupTable = (
  groups: ReadonlyArray<FailureGroup>,
  replayLine: (run: CampaignRun) => string
): ReadonlyArray<string> => [
  paint("bold", "Failures, by what they violated"),
  ...groups.slice(0, groupsMax).flatMap((group) => groupLines(group, replayLine)),
  ...more(groups.length - groupsMax, "  ", "groups")
]

/** One group, for machines. */
export const groupDocument = (
  { count, fastest, seeds, smalls, violation }: FailureGroup,
  replayLine: (run: CampaignRun) => string
) => ({
  violation,
  count,
  seeds,
  fastest: {
    scenario: fastest.scenario,
    seed: fastest.seed,
    virtualSeconds: fastest.virtualMicros / 1_000_000,
    verdict: fastest.verdict,
    digest: fastest.digest,
    file: fastest.file ?? null,
    replay: replayLine(fastest)
  },
  smalls: smalls.map(({ count, faults, least }) => ({
    faults,
    count,
    plan: least.plan,
    operations: least.operations,
    file: least.file ?? null
  }))
})

function groupLines(
  { count, fastest, seeds, smalls }: FailureGroup,
  replayLine: (run: CampaignRun) => string
): ReadonlyArray<string> {
  const where = Object.entries(seeds).map(([scenario, all]) => {
    const others = all.length > seedsMax ? ` and ${all.length - seedsMax} more` : ""
    return `      ${scenario}: ${all.length === 1 ? "seed" : "seeds"} ${all.slice(0, seedsMax).join(", ")}${others}`
  })
  const seconds = (fastest.virtualMicros / 1_000_000).toFixed(1)
  return [
    `${String(count).padStart(5)} × ${FailureScreen.headline(fastest.verdict)}`.slice(0, widthMax),
    ...where.slice(0, scenariosMax),
    ...more(where.length - scenariosMax, "      ", "scenarios"),
    `      over soonest: ${fastest.scenario}, seed ${fastest.seed}, in ${seconds} virtual seconds`,
    `        ${replayLine(fastest)}`,
    ...(fastest.file === undefined ? [] : [paint("dim", `        saved as ${fastest.file}`)]),
    ...smalls
      .slice(0, smallsMax)
      .flatMap(({ count: cases, faults, least }) => [
        `      small: ${faults}${cases === 1 ? "" : ` (${cases} cases)`}`,
        ...(least.file === undefined ? [] : [`        npx stormglass replay ${least.file}`])
      ]),
    ...more(smalls.length - smallsMax, "      ", "kinds of small cases")
  ]
}

function more(count: number, indent: string, what: string): ReadonlyArray<string> {
  return count > 0 ? [`${indent}… and ${count} more ${what}`] : []
}
