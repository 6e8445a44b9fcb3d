import { assert, describe, it } from "@effect/vitest"
import { textsOf } from "../../adapters/pglite/Backend.ts"
import { framesOf } from "../../adapters/pglite/Frames.ts"
import * as Frontend from "../../adapters/pglite/Frontend.ts"
import * as Pglite from "../../adapters/pglite/Pglite.ts"
import { changesTable, floorTable } from "../../adapters/postgres/FeedSchema.ts"
import { integer, make } from "../../core/ports/Table.ts"
import { epochMicros } from "../kernel/NodeClock.ts"
import { Instance } from "./Instance.ts"

const things = make("things", { columns: { id: integer }, primaryKey: ["id"] })

describe("the PGlite of a thread", () => {
  it("shows nothing of one run to the next: no rows, no changes, no settings, and nothing that the feed forgot", async () => {
    const pglite = await Pglite.open()
    const instance = new Instance(pglite)
    const ask = (text: string) =>
      framesOf(instance.execute(Frontend.query(text), epochMicros))
        .filter(({ type }) => type === "D")
        .map(textsOf)
    const seen = () => [
      ask("select count(*) from things"),
      ask(`select count(*), max(position) from ${changesTable}`),
      ask(`select xid from ${floorTable}`),
      ask("select current_setting('stormglass.fences', true)")
    ]
    instance.empty([things])
    const before = seen()
    ask("set stormglass.fences = '[]'")
    ask("insert into things values (1)")
    // As compaction does.
    ask(`with forgotten as (delete from ${changesTable} returning xid)
      update ${floorTable} set xid = (select max(xid::text)::xid8 from forgotten)`)
    assert.notDeepEqual(seen(), before)
    instance.empty([things])
    assert.deepStrictEqual(seen()[2], before[2])
    assert.deepStrictEqual(seen().slice(0, 3), before.slice(0, 3))
    assert.include(["", null], seen()[3]![0]![0]!)
    ask("insert into things values (1)")
    assert.deepStrictEqual(ask(`select position from ${changesTable}`), [["1"]])
    await pglite.close()
  }, 60_000)
})
