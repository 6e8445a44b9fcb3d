/** Every history of Porcupine's test data, where that is at hand. */
import { assert, describe, it } from "@effect/vitest"
import { begin, directory, rows } from "./Porcupine.fixture.ts"

const all = rows()
if (all.length === 0) {
  console.info(`Porcupine's histories are not at ${directory} (STORMGLASS_PORCUPINE): their verdicts are not compared`)
}

describe.skipIf(all.length === 0)("Porcupine's histories", () => {
  for (const row of all) {
    const expected = row.isLinearizable ? "linearizable" : "not linearizable"
    it(`${row.file} as ${row.model} is ${expected}, in less than 64 MB`, () => {
      const judgement = begin(row, 64 * 2 ** 20).advance(Infinity)
      assert.strictEqual(judgement?._tag, row.isLinearizable ? "Linearizable" : "NotLinearizable")
    })
  }
})
