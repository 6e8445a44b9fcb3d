/**
 * The leader's look for resources that nobody owns: the provider has them, the table does not.
 *
 * The list is taken first and the table read after it. A row is always there before its resource, and a uid is never used
 * twice, so what is in the list and not in the table is never wanted again. It comes from a paused owner whose `start` went
 * out late, or from a provider that forgot a `stop`.
 */
import * as Effect from "effect/Effect"
import * as Mark from "../facts/Mark.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import { isIn } from "../ports/Condition.ts"
import { Provider } from "../ports/Provider.ts"
import { Storage } from "../ports/Storage.ts"
import { effectUnderGrant } from "../reconcile/effectUnderGrant.ts"
import { instances } from "./Instance.ts"

const stops = Mark.sometimes("resource without a row stopped")

export const sweep = (grant: Grant) =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const provider = yield* Provider
    const listed = yield* provider.list
    if (listed.length === 0) return
    const rows = yield* once((tx) => tx.select(instances, { where: (row) => isIn(row.uid, listed) }), {
      label: "instance/owned"
    })
    const owned = new Set(rows.map(({ uid }) => uid))
    for (const uid of listed) {
      if (owned.has(uid)) continue
      yield* Mark.hit(stops)
      yield* effectUnderGrant(provider.stop(uid), { effect: "stop", uid, grant })
    }
  })
