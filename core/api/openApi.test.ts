import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { served } from "./Sending.fixture.ts"
import { document, documentText } from "./openApi.ts"

describe("the document of the API", () => {
  it.effect("is OpenAPI 3.1 and has every route that is served, and no other", () =>
    Effect.gen(function* () {
      assert.match(document.openapi, /^3\.1\./)
      const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`)
      )
      assert.deepStrictEqual(documented.toSorted(), (yield* served()).toSorted())
      assert.strictEqual(documentText, JSON.stringify(document))
    })
  )

  it("names each operation once", () => {
    const ids = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations as object).map((operation: { readonly operationId: string }) => operation.operationId)
    )
    assert.strictEqual(new Set(ids).size, ids.length)
  })

  it("says of each operation what it does, and of each that asks for a key how that is refused", () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const operation of Object.values(operations as Readonly<Record<string, Operation>>)) {
        assert.match(operation.summary ?? "", /^[A-Z].*[^.]$/, path)
        const refusals = (operation.security?.length ?? 0) === 0 ? [] : ["401", "403", "429"]
        assert.includeMembers(Object.keys(operation.responses), refusals, path)
      }
    }
  })
})

interface Operation {
  readonly summary?: string
  readonly security?: ReadonlyArray<object>
  readonly responses: object
}
