/** What clients and nodes are told is judged as a whole: each of the rules finds planted mistakes by itself, and says what cannot be explained. */
import { readFileSync } from "node:fs"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as FailureFile from "../reports/FailureFile.ts"
import { Supervisor } from "../sim/host/Supervisor.ts"
import type { RunRequest, Verdict } from "../sim/run/Verdict.ts"
import { violationOf } from "../sim/shrink/violationOf.ts"
import { mutants } from "./mutants/catalogue.ts"

const saved = (name: string): RunRequest =>
  FailureFile.requestOf(FailureFile.parse(readFileSync(new URL(`corpus/${name}.json`, import.meta.url), "utf8")))

const drawn = (scenario: string, seed: string): RunRequest => ({ scenario, seed, strategy: "random" })

const supervise = (mutant: string | undefined) =>
  new Supervisor({
    catalogue: new URL("linearizable.fixture.ts", import.meta.url),
    mutant: mutants.find(({ name }) => name === mutant),
    jobs: 1,
    runMillisMax: 60_000
  })

const unplanted = supervise(undefined)
afterAll(() => unplanted.close())

const verdictsOf = async (mutant: string, request: RunRequest): Promise<readonly [Verdict, Verdict]> => {
  const planted = supervise(mutant)
  try {
    const outcomes = await Promise.all([planted.run(request), unplanted.run(request)])
    return [outcomes[0].result.verdict, outcomes[1].result.verdict]
  } finally {
    await planted.close()
  }
}

const cases: ReadonlyArray<readonly [rule: string, mutant: string, request: RunRequest, says: RegExp]> = [
  [
    "leases-linearizable",
    "read-then-create-lock",
    saved("read-then-create-lock"),
    /^no order of what was asked of lease "leader" explains "acquire for 6 → token 2 \(n2\/1\)", when "the lock is held under token 1, to expire between 6\.\d+ and 6\.\d+"$/
  ],
  [
    "leases-linearizable",
    "release-without-owner-check",
    saved("release-without-owner-check"),
    /lease "[^"]+" explains "(renew \d for 6 → refused|release \d → accepted) \([^)]+\)"/
  ],
  [
    "keys-linearizable",
    "check-then-insert",
    drawn("idempotency/duplicates-across-nodes", "1"),
    /^no order of what was asked of key "[^"]+" explains "'([^']+)' → 'answer 2: [^']+' \([^"]+\)", when "the key is that of '\1', with 'answer 1: [^']+'"$/
  ],
  [
    "fleets-linearizable",
    "reads-from-memory",
    saved("reads-from-memory"),
    /^no order of what was asked of fleet "shop\/fleet-1" explains "read → version 1, 4 \(client-2\)", when "version 2, 0 is there"$/
  ],
  [
    "fleets-linearizable",
    "idempotency-record-apart",
    drawn("idempotency/duplicates-across-nodes", "1"),
    /fleet "[^"]+" explains "write \d+ → version \d+, \d+ \([^"]+\)", when "version \d+, \d+ is there"$/
  ]
]

describe("with no other rule to judge by", { timeout: 120_000 }, () => {
  for (const [rule, mutant, request, says] of cases) {
    it(`${rule} finds ${mutant}, and nothing without it`, async () => {
      const [planted, sound] = await verdictsOf(mutant, { ...request, scenario: `${rule} of ${request.scenario}` })
      assert.deepStrictEqual(sound, { _tag: "passed" })
      assert.match(planted._tag === "violated" ? planted.message : planted._tag, says)
      const { atMicros, evidence, factId, invariant } = planted as Verdict & { readonly _tag: "violated" }
      assert.strictEqual(invariant, rule)
      assert.deepStrictEqual(Object.keys(evidence), ["unexplained", "before", "state", "open"])
      // The answer that cannot be explained, and not the end of the run.
      assert.isAbove(factId, 1)
      assert.isBelow(atMicros, 100_000_000)
      const kind =
        /^violated \S+: no order of what was asked of \w+ … explains …, when … \(unexplained, before, state, open\)$/
      assert.match(violationOf(planted), kind)
    })
  }
})
