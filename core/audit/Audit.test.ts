import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { brokenAt, type Entry, origin, type Sealed, seal } from "./Audit.ts"

const entry: fc.Arbitrary<Entry> = fc.record({
  id: fc.uuid(),
  at: fc.nat(),
  principal: fc.string(),
  keyId: fc.option(fc.string()),
  action: fc.string(),
  project: fc.string(),
  path: fc.string(),
  requestId: fc.string(),
  status: fc.integer({ min: 200, max: 499 }),
  revision: fc.option(fc.nat())
})

const chainOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Sealed> => {
  const chain: Array<Sealed> = []
  for (const told of entries) chain.push(seal(chain.at(-1) ?? origin, told))
  return chain
}
const chain = fc.array(entry, { minLength: 2, maxLength: 12 }).map(chainOf)

describe("the chain of the audit", () => {
  it("is whole as it was sealed, from the start and from any entry on", () =>
    fc.assert(
      fc.property(chain, fc.nat(), (chain, at) => {
        assert.isUndefined(brokenAt(chain))
        const cut = at % chain.length
        assert.isUndefined(brokenAt(chain.slice(cut + 1), chain[cut]))
      })
    ))

  it("tells of an entry that was changed, in any field", () =>
    fc.assert(
      fc.property(
        chain,
        fc.nat(),
        fc.constantFrom(...(["principal", "path", "status", "seq", "at"] as const)),
        (chain, at, field) => {
          const changed = chain.map((sealed, index) =>
            index === at % chain.length
              ? { ...sealed, [field]: typeof sealed[field] === "number" ? sealed[field] + 1 : `${sealed[field]}.` }
              : sealed
          )
          assert.strictEqual(brokenAt(changed), changed[at % chain.length])
        }
      )
    ))

  it("tells of an entry that was dropped, or put in", () =>
    fc.assert(
      fc.property(chain, entry, fc.nat(), (chain, told, at) => {
        const index = at % (chain.length - 1)
        assert.isDefined(brokenAt(chain.toSpliced(index, 1)))
        // Even one that follows: the next one does not follow it.
        assert.isDefined(brokenAt(chain.toSpliced(index + 1, 0, seal(chain[index]!, told))))
      })
    ))

  it("that somebody sealed anew from an entry on has another end: whoever kept a hash can tell", () =>
    fc.assert(
      fc.property(chain, fc.nat(), (chain, at) => {
        const forged = chainOf(
          chain.map(({ hash: _hash, previousHash: _previous, seq: _seq, ...told }, index) =>
            index === at % chain.length ? { ...told, principal: `${told.principal}.` } : told
          )
        )
        assert.isUndefined(brokenAt(forged))
        assert.notStrictEqual(forged.at(-1)!.hash, chain.at(-1)!.hash)
      })
    ))
})
