import * as fc from "fast-check"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { changeOfFleet, changeOfInstance, parse } from "./manifest.ts"

const spec = { image: "web:1", size: "small" } as const
const fleet = { kind: "fleet", name: "web", desired: 3, spec }
const box = { kind: "instance", name: "box", project: "shop", spec }

describe("a file of what is wanted", () => {
  it("is one document or a list of them, in their order", () => {
    assert.deepStrictEqual(parse(JSON.stringify(fleet)), Result.succeed([fleet] as never))
    assert.deepStrictEqual(parse(JSON.stringify([box, fleet])), Result.succeed([box, fleet] as never))
    assert.deepStrictEqual(parse("[]"), Result.fail(["there is nothing in it"]), "a generator that broke")
  })

  it("is refused with all that is wrong with it, and where", () => {
    const wrong = [{ kind: "fleet", name: "UP", desired: -1, spec: { image: "", size: "small" }, more: 1 }, fleet, null]
    const parsed = parse(JSON.stringify(wrong))
    const where = Result.isFailure(parsed) ? parsed.failure.map((problem) => problem.split(":")[0]) : []
    assert.sameMembers(where, ["0.name", "0.desired", "0.spec.image", "0.more", "2.kind"])
    assert.deepStrictEqual(
      parse(JSON.stringify({ ...fleet, kind: "flee" })),
      Result.fail(['kind: "fleet" or "instance"'])
    )
    const torn = parse("{")
    assert.match(Result.isFailure(torn) ? torn.failure.join() : "", /^not JSON, which manifests are written in: \S/)
  })

  it("wants each thing once: two of one name would undo each other", () => {
    assert.deepStrictEqual(
      parse(JSON.stringify([fleet, box, { ...fleet, desired: 1 }])),
      Result.fail(["2: fleet web is wanted by 0 as well"])
    )
    assert.isTrue(Result.isSuccess(parse(JSON.stringify([fleet, { ...fleet, project: "shop" }]))))
  })

  it("changes nothing of a fleet that is so already, and says all that it changes of another", () =>
    fc.assert(
      fc.property(
        fc.nat(5),
        fc.nat(5),
        fc.boolean(),
        fc.option(fc.boolean(), { nil: undefined }),
        (was, desired, isPaused, paused) => {
          const found = { desired: was, spec, pausedAt: isPaused ? 7 : null }
          const change = changeOfFleet(found, { desired, spec, ...(paused === undefined ? {} : { paused }) })
          const isSame = was === desired && (paused === undefined || paused === isPaused)
          assert.strictEqual(change === undefined, isSame)
          assert.strictEqual(change?.includes(`desired ${was} to ${desired}`) ?? false, was !== desired)
          assert.strictEqual(/paused|resumed/.test(change ?? ""), paused !== undefined && paused !== isPaused)
        }
      )
    ))

  it("makes what is not there, and says where a spec is another one", () => {
    assert.strictEqual(
      changeOfFleet(undefined, { desired: 2, spec, paused: true }),
      "made, 2 wanted of web:1, small, paused"
    )
    assert.strictEqual(changeOfInstance(undefined, { spec }), "made, of web:1, small")
    assert.isUndefined(changeOfInstance({ spec }, { spec: { size: "small", image: "web:1" } }))
    assert.strictEqual(
      changeOfInstance({ spec }, { spec: { ...spec, image: "web:2" } }),
      "spec web:1, small to web:2, small"
    )
  })
})
