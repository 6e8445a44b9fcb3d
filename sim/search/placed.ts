/**
 * The search by single faults: a reference run of each scenario, then some of the faults that can be placed in it (Placement.ts), and the next
 * time round, with another seed, the ones after those.
 */
import { placements, placesOf } from "./Placement.ts"
import { requestOf, roundSize, type Search, type SearchSpace } from "./Search.ts"
import { victimsOf } from "./victimsOf.ts"

/** Of each reference run: it costs as much as one of them. */
const placementsPerVisit = 2 * roundSize

export function* placed(space: SearchSpace): Search {
  const { scenarios, seedFirst = 1 } = space
  for (let visit = 0; ; visit++) {
    for (const scenario of scenarios) {
      const request = { ...requestOf(space, scenario, seedFirst + visit), plan: { version: 1, faults: [] } } as const
      const [reference] = yield [{ request, wants: "facts" }]
      if (reference === undefined) continue
      const victims = victimsOf(reference.result)
      const places = placesOf(reference.facts, (node) => victims.includes(node))
      const plans = [
        ...placements(places)
          .drop(visit * placementsPerVisit)
          .take(placementsPerVisit)
      ]
      for (let index = 0; index < plans.length; index += roundSize) {
        yield plans.slice(index, index + roundSize).map((plan) => ({ request: { ...request, plan }, wants: "result" }))
      }
    }
  }
}
