/** Undoing changes: what comes out is what was there before them. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { integer, make, text } from "../ports/Table.ts"
import { send } from "./Sending.fixture.ts"
import { restored } from "./paging.ts"

const things = make("things", { columns: { id: text, kind: text, version: integer }, primaryKey: ["id"] })
type Thing = { readonly id: string; readonly kind: string; readonly version: number }

/** Writes to one of few rows: "gone", or of a kind. */
const writes = fc.array(
  fc.record({ id: fc.constantFrom("a", "b", "c", "d"), kind: fc.constantFrom("x", "y", "gone") }),
  {
    maxLength: 20
  }
)

/** Every state after so many writes, and the changes that led there. */
const play = (asked: ReadonlyArray<{ readonly id: string; readonly kind: string }>) => {
  const present = new Map<string, Thing>()
  const moments = [new Map(present)]
  const all = asked.map(({ id, kind }, version) => {
    const before = present.get(id) ?? null
    const after = kind === "gone" ? null : { id, kind, version }
    if (after === null) present.delete(id)
    else present.set(id, after)
    moments.push(new Map(present))
    return { table: "things", before, after }
  })
  return { moments, all }
}

describe("what is restored", () => {
  it("is what there was at any moment before, whenever the rows were read since", () =>
    fc.assert(
      fc.property(writes, fc.nat(), fc.nat(), fc.constantFrom({}, { kind: "x" }), (asked, from, to, where) => {
        const { all, moments } = play(asked)
        const then = from % moments.length
        const read = then + (to % (moments.length - then))
        const isAsked = (thing: Thing) => where.kind === undefined || thing.kind === where.kind
        const asAsked = (moment: ReadonlyMap<string, Thing>) =>
          new Map([...moment].filter(([, thing]) => isAsked(thing)))
        const since = all.slice(then).filter(({ after, before }) => after !== null || before !== null)
        const found = restored({ table: things, key: "id", label: "", where }, asAsked(moments[read]!), since)
        assert.deepStrictEqual([...found].toSorted(), [...asAsked(moments[then]!)].toSorted())
      })
    ))
})

describe("a page", () => {
  it("is refused when it cannot be one", async () => {
    for (const query of [
      "limit=0",
      "limit=1001",
      "limit=x",
      "after=nothing",
      "state=HAPPY",
      "fields=colour",
      "colour=red"
    ]) {
      const { status, text } = await send("GET", `projects/p/instances?${query}`)
      assert.deepStrictEqual({ query, status }, { query, status: 400 }, text)
    }
  })

  it("is told all that is wrong with its question at once", async () => {
    const { status, text } = await send("GET", "projects/p/fleets?limit=0&fields=nope")
    const { errors } = JSON.parse(text) as { readonly errors: ReadonlyArray<{ readonly path: string }> }
    assert.deepStrictEqual([status, errors.map(({ path }) => path)], [400, ["query.limit", "query.fields"]], text)
  })

  it("of nothing is empty, and the last", async () => {
    const { status, text } = await send(
      "GET",
      "projects/p/instances?limit=10&state=RUNNING&fleet=web&fields=name,state"
    )
    assert.deepStrictEqual({ status, text }, { status: 200, text: '{"items":[],"next":null,"revision":null}' })
  })
})
