/** The leader's count of what is parked, for whoever is to look at it. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { fleets } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import * as Metrics from "../Metrics.ts"
import { isNotNull } from "../ports/Condition.ts"
import { Storage } from "../ports/Storage.ts"

export const round = Effect.gen(function* () {
  const { once } = yield* Storage
  const label = { label: "parked/count" }
  yield* Metric.update(
    Metrics.parked.fleet,
    yield* once((tx) => tx.count(fleets, (row) => isNotNull(row.parkedAt)), label)
  )
  yield* Metric.update(
    Metrics.parked.instance,
    yield* once((tx) => tx.count(instances, (row) => isNotNull(row.parkedAt)), label)
  )
})
