/**
 * The storage model's speed: nodes that change single rows through the port, each change conditional, inside transactions, over the
 * simulated network with its latency, every commit told as a fact and digested.
 */
import * as Effect from "effect/Effect"
import { add, and, eq, ge } from "../../core/ports/Condition.ts"
import { Storage } from "../../core/ports/Storage.ts"
import { integer, make, text } from "../../core/ports/Table.ts"
import { World } from "../run/World.ts"
import { SimDatabase } from "../storage/SimDatabase.ts"
import * as SimStorage from "../storage/SimStorage.ts"

const counters = make("counters", {
  columns: { id: integer, name: text, value: integer },
  primaryKey: ["id"],
  unique: [["name"]]
})

export interface StorageWorkload {
  readonly nodes: number
  readonly transactionsOfEach: number
  readonly updatesPerTransaction: number
  readonly rows: number
}

/** Runs it; the number of updates that were committed, and the virtual time it took, in seconds. */
export const storageUpdates = (workload: StorageWorkload): { readonly updates: number; readonly seconds: number } => {
  const { nodes, rows, transactionsOfEach, updatesPerTransaction } = workload
  const world = new World({ seed: "42" })
  const database = new SimDatabase(world, { tables: [counters] })
  for (let id = 0; id < rows; id++) database.place("scene", counters, { id, name: `counter ${id}`, value: 0 })
  world.addNode("database", database.program).start()
  let updates = 0
  for (let host = 0; host < nodes; host++) {
    const program = Effect.gen(function* () {
      const { transaction } = yield* Storage
      // Rows of its own, so that nobody waits: the speed of waiting is the latency's.
      const own = (nth: number) => (nth * nodes + host) % rows
      for (let round = 0; round < transactionsOfEach; round++) {
        yield* transaction(
          Effect.fnUntraced(function* (t) {
            for (let nth = 0; nth < updatesPerTransaction; nth++) {
              const id = own(round * updatesPerTransaction + nth)
              const changed = yield* t.update(counters, {
                where: (row) => and(eq(row.id, id), ge(row.value, 0)),
                set: (row) => ({ value: add(row.value, 1) })
              })
              updates += changed.length
            }
          }),
          { label: "count" }
        )
      }
    })
    world.addNode(`node-${host}`, Effect.provide(program, SimStorage.layer())).start()
  }
  world.run("10m")
  const committed = database.committed("counters").reduce((sum, row) => sum + (row["value"] as number), 0)
  if (committed !== updates) throw new Error(`${updates} updates were answered and ${committed} committed`)
  return { updates, seconds: world.nowMicros / 1e6 }
}
