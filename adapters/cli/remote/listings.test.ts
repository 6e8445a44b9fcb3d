import { assert, describe, it } from "vitest"
import { kinds, listAsked } from "./listings.ts"

const typed = {
  fields: undefined,
  fleet: undefined,
  instance: undefined,
  limit: undefined,
  state: undefined,
  json: false
}

describe("what is asked of a list", () => {
  it("is nothing where nothing is typed, of every kind", () => {
    for (const kind of kinds) assert.deepStrictEqual(listAsked(kind, typed), {})
  })

  it("is what was typed", () => {
    const events = { instance: "web-1", limit: 3 }
    assert.deepStrictEqual(listAsked("events", { ...typed, ...events }), events)
    const all = { ...typed, fields: "uid, state", fleet: "web", limit: 3, state: "ERROR", json: true } as const
    assert.deepStrictEqual(listAsked("instances", all), {
      fields: ["uid", "state"],
      fleet: "web",
      limit: 3,
      state: "ERROR"
    })
  })

  it.each([
    ["fleets", { state: "ERROR" }, "--state: chooses among instances: `stormglass get instances --state ERROR`"],
    ["agents", { fleet: "web" }, "--fleet: chooses among instances and events: `stormglass get instances --fleet web`"],
    ["instances", { instance: "web-1" }, "--instance: chooses among events: `stormglass get events --instance web-1`"],
    ["fleets", { limit: 0 }, "--limit: 0 is less than one"],
    ["fleets", { fields: "name" }, "--fields: goes with --json; a table has its own columns"],
    ["fleets", { fields: "nam", json: true }, '--fields: fleets have no field "nam"; did you mean "name"?'],
    [
      "quotas",
      { fields: "xyzzyx", json: true },
      '--fields: quotas have no field "xyzzyx"; there are project, fleetsMax, instancesMax, used'
    ]
  ] as const)("of %s, with %j, is refused in one line", (kind, wrong, said) => {
    assert.throws(() => listAsked(kind, { ...typed, ...wrong }), said)
  })
})
