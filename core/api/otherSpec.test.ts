import { assert, describe, it } from "vitest"
import { otherSpec } from "./otherSpec.ts"

const spec = { image: "web:1", size: "small" } as const

describe("a spec that is not the one that is there", () => {
  it("is told which field differs, what is there, and what to do", () => {
    assert.strictEqual(
      otherSpec("fleet shop/web", spec, { ...spec, image: "web:2" }),
      'fleet shop/web has another spec: image is "web:1", not "web:2"; a spec never changes: delete it and apply it again, or take another name'
    )
    assert.include(
      otherSpec("fleet shop/web", spec, { image: "web:2", size: "large" }),
      'image is "web:1", not "web:2", and size is "small", not "large"'
    )
  })

  it("is none when it is the same, in whatever order its fields come", () => {
    assert.isUndefined(otherSpec("fleet shop/web", spec, { size: "small", image: "web:1" }))
  })

  it("is told in one line of bounded length, whatever is in it", () => {
    const told = otherSpec("fleet shop/web", spec, { ...spec, image: `a\n${"💥".repeat(5_000)}` }) ?? ""
    assert.isAtMost(told.length, 400)
    assert.notInclude(told, "\n")
    assert.isTrue(told.isWellFormed())
  })
})
