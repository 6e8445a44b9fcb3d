import { assert, describe, it } from "vitest"
import { document } from "../../../core/api/openApi.ts"
import { type Definitions, explain, typeNames } from "./explain.ts"

const definitions = document.components.schemas as Definitions

describe("explain", () => {
  it("says of every field of every type what it means, in the document that is served, too", () => {
    for (const type of typeNames(definitions)) {
      const [head, description, , , ...fields] = explain(definitions, type).split("\n")
      assert.include(head, `${type}: object`)
      assert.isNotEmpty(description?.trim(), type)
      for (const line of fields) {
        const [field] = line.trim().split(/\s+/)
        const [, said = ""] = explain(definitions, `${type}.${field}`).split("\n")
        assert.match(said.trim(), /^[A-Z].*\w$/, `${type}.${field}`)
      }
    }
  })

  it("goes into what may be null and into lists, and gives an example", () => {
    assert.include(explain(definitions, "fleet.status.parked"), "fleet.status.parked: integer or null")
    assert.include(explain(definitions, "fleet.conditions.type"), "one of Ready, Stalled, Paused, Terminating")
    assert.include(explain(definitions, "fleet-wanted.spec.image"), 'for example "web:1"')
  })

  it("says what there is where there is nothing of that name", () => {
    assert.throws(() => explain(definitions, "flet"), 'explain: no type "flet"; did you mean "fleet"?')
    assert.throws(
      () => explain(definitions, "fleet.spec.colour"),
      'fleet.spec has no field "colour"; it has image, size'
    )
    assert.throws(() => explain(definitions, "fleet.name.first"), "it has no fields")
  })
})
