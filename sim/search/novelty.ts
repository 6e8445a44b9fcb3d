/**
 * The search that learns: plans that reached something new are kept, and changed a little (mutatePlan.ts), in turn with new seeds. What counts
 * as new is in Features.ts.
 */
import * as Chance from "../kernel/Chance.ts"
import { Draw } from "../nemesis/Draw.ts"
import type { FaultPlan } from "../nemesis/FaultPlan.ts"
import type { RunRequest } from "../run/Verdict.ts"
import { mutatePlan } from "./mutatePlan.ts"
import { type Ask, requestOf, roundSize, type Search, type SearchSpace, type Told } from "./Search.ts"
import { victimsOf } from "./victimsOf.ts"

/** A run that is worth changing. */
interface Kept {
  readonly request: RunRequest
  readonly plan: FaultPlan
  readonly victims: ReadonlyArray<string>
  readonly features: ReadonlyArray<number>
}

/** Those that were kept last; older ones have had their turn. */
const keptMax = 256

export function* novelty(space: SearchSpace): Search {
  const { scenarios, seedFirst = 1 } = space
  const draw = new Draw(Chance.root(`novelty/${seedFirst}`))
  const reached = new Map<number, number>()
  let kept: ReadonlyArray<Kept> = []
  let fresh = 0
  for (let round = 0; ; round++) {
    const asks = Array.from({ length: roundSize }, (_, index): Ask => {
      const own = draw.child(`${round}/${index}`)
      const base = index % 2 === 0 ? undefined : rarest(own, kept, reached)
      if (base !== undefined) return { request: changed(own, base, kept), wants: "features" }
      const nth = fresh++
      const scenario = scenarios[nth % scenarios.length] as string
      return { request: requestOf(space, scenario, seedFirst + Math.floor(nth / scenarios.length)), wants: "features" }
    })
    const told = yield asks
    kept = [...kept, ...told.flatMap((one) => (one === undefined ? [] : news(one, reached)))].slice(-keptMax)
  }
}

/** Of a few taken at random the one whose features the fewest runs have reached. */
function rarest(draw: Draw, kept: ReadonlyArray<Kept>, reached: ReadonlyMap<number, number>): Kept | undefined {
  if (kept.length === 0) return undefined
  const candidates = [0, 1, 2].map((nth) => draw.pick(`candidate/${nth}`, kept))
  const rarity = ({ features }: Kept) => features.reduce((sum, feature) => sum + 1 / (reached.get(feature) ?? 1), 0)
  return candidates.reduce((best, one) => (rarity(one) > rarity(best) ? one : best))
}

/** The same world, with another plan and, half of the time, another schedule. */
function changed(draw: Draw, { plan, request, victims }: Kept, kept: ReadonlyArray<Kept>): RunRequest {
  const alike = kept.filter((one) => one.request.scenario === request.scenario)
  const other = draw.pick("other", alike).plan
  return {
    ...request,
    plan: mutatePlan(draw, plan, { nodes: victims, other }),
    ...(draw.happens("noise", 0.5) ? { noise: draw.integer("noise", 1, 1_000_000) } : {})
  }
}

/** Counts what was reached. The run, if something of it was new. */
function news({ features, result }: Told, reached: Map<number, number>): ReadonlyArray<Kept> {
  const isNew = features.some((feature) => !reached.has(feature))
  for (const feature of features) reached.set(feature, (reached.get(feature) ?? 0) + 1)
  if (!isNew || result.plan === undefined) return []
  return [{ request: result.request, plan: result.plan, victims: victimsOf(result), features }]
}
