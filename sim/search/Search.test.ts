import { assert, describe, it } from "@effect/vitest"
import { novelty } from "./novelty.ts"
import { placed } from "./placed.ts"
import { type Ask, interleave, type Search, seeds, type Told } from "./Search.ts"
import { factsOf, told } from "./Story.fixture.ts"

/** Drives a search for so many rounds; everything that it asked. */
const drive = (
  search: Search,
  rounds: number,
  answer: (ask: Ask) => Told | undefined = ({ request }) => told(request)
) => {
  const asked: Array<Ask> = []
  let next = search.next()
  for (let round = 0; round < rounds && next.done !== true; round++) {
    asked.push(...next.value)
    next = search.next(next.value.map(answer))
  }
  return asked
}

const nameOf = ({ request: { noise, plan, scenario, seed } }: Ask) =>
  `${scenario} ${seed}${plan === undefined ? "" : ` ${JSON.stringify(plan.faults)}`}${noise === undefined ? "" : ` ~${noise}`}`

describe("a search by seeds", () => {
  it("visits each seed of each scenario once, the seeds one after the other", () => {
    const asked = drive(seeds({ scenarios: ["a", "b", "c"], seedFirst: 5 }, "pct"), 3)
    assert.deepStrictEqual(asked.slice(0, 4).map(nameOf), ["a 5", "b 5", "c 5", "a 6"])
    assert.lengthOf([...new Set(asked.map(nameOf))], asked.length)
    for (const { request } of asked) assert.strictEqual(request.strategy, "pct")
  })
})

describe("several searches at once", () => {
  function* counting(name: string, size: number, rounds: number, heard: Array<string>): Search {
    for (let round = 0; round < rounds; round++) {
      const own = yield Array.from({ length: size }, (_, index): Ask => {
        return { request: { scenario: name, seed: `${round}/${index}`, strategy: "fifo" }, wants: "result" }
      })
      heard.push(own.map((one) => one?.result.request.seed).join(" "))
    }
  }

  it("have their shares of each round, hear each of its own, and end when the last one has", () => {
    const [few, many]: [Array<string>, Array<string>] = [[], []]
    const parts = [
      { search: counting("few", 1, 3, few), share: 1 },
      { search: counting("many", 3, 2, many), share: 2 }
    ]
    assert.deepStrictEqual(
      drive(interleave(parts), 10).map(({ request: { scenario, seed } }) => `${scenario} ${seed}`),
      ["few 0/0", "many 0/0", "many 0/1", "few 1/0", "many 0/2", "few 2/0", "many 1/0", "many 1/1", "many 1/2"]
    )
    assert.deepStrictEqual(few, ["0/0", "1/0", "2/0"])
    assert.deepStrictEqual(many, ["0/0 0/1 0/2", "1/0 1/1 1/2"])
  })
})

describe("a search by single faults", () => {
  const facts = factsOf(
    ...Array.from({ length: 40 }, (_, nth) => ["n1", 0, { _tag: "Sent", to: "n2", label: `step ${nth}` }] as const)
  )
  const answer = ({ request, wants }: Ask): Told => ({ ...told(request), facts: wants === "facts" ? facts : [] })

  it("runs a reference without faults first, then plans of one fault each, and later those it has not tried", () => {
    const asked = drive(placed({ scenarios: ["a", "b"] }), 18, answer)
    const references = asked.filter(({ wants }) => wants === "facts")
    assert.deepStrictEqual(references.map(nameOf), ["a 1 []", "b 1 []", "a 2 []", "b 2 []", "a 3 []", "b 3 []"])
    const faults = asked.flatMap(({ request, wants }) =>
      wants === "result" && request.scenario === "a" ? [JSON.stringify(request.plan?.faults)] : []
    )
    assert.isAbove(faults.length, 32)
    assert.lengthOf([...new Set(faults)], faults.length)
  })

  it("goes on with the next scenario where the reference did not run", () => {
    const asked = drive(placed({ scenarios: ["a", "b"] }), 2, () => undefined)
    assert.deepStrictEqual(asked.map(nameOf), ["a 1 []", "b 1 []"])
  })
})

describe("the search that learns", () => {
  it("changes only plans that reached something new", () => {
    const dull = drive(novelty({ scenarios: ["a"] }), 20, ({ request }) => told(request, { features: [1] }))
    const based = dull.filter(({ request }) => request.plan !== undefined).map(({ request }) => request.seed)
    assert.deepStrictEqual([...new Set(based)], ["1"])

    const rich = drive(novelty({ scenarios: ["a"] }), 20, ({ request }) =>
      told(request, { features: [Number(request.seed)] })
    )
    assert.isAbove(new Set(rich.filter(({ request }) => request.plan !== undefined).map(nameOf)).size, 40)
    assert.isAbove(new Set(rich.flatMap(({ request }) => (request.plan === undefined ? [] : [request.seed]))).size, 10)
  })

  it("asks the same again when it is told the same", () => {
    const asked = () =>
      drive(novelty({ scenarios: ["a", "b"] }), 12, ({ request }) =>
        told(request, { features: [request.seed.length, request.plan?.faults.length ?? 0] })
      ).map(nameOf)
    assert.deepStrictEqual(asked(), asked())
  })
})
