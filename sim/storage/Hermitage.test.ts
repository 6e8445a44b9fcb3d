/**
 * The anomalies of Adya and of Martin Kleppmann's Hermitage, statement for statement, with the results that Postgres gives
 * (github.com/ept/hermitage, postgres.md). Each case runs under read committed and repeatable read.
 */
import { assert, describe, it } from "@effect/vitest"
import { add, always, eq, gt, isIn } from "../../core/ports/Condition.ts"
import type { Isolation } from "../../core/ports/Storage.ts"
import { type Reply, type Speaker, accounts, withAccounts } from "./Dialogue.ts"

const all = (speaker: Speaker): Reply => speaker.say((t) => t.select(accounts))
const read = (speaker: Speaker, id: number): Reply => speaker.say((t) => t.get(accounts, { id }))
const set = (speaker: Speaker, id: number, value: number): Reply =>
  speaker.say((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ value }) }))
const byValue = (speaker: Speaker, value: number): Reply =>
  speaker.say((t) => t.select(accounts, { where: (row) => eq(row.value, value) }))

const begin = (isolation: Isolation, deadlockDetection: "immediate" | "on demand" = "on demand") => {
  const dialogue = withAccounts({ deadlockDetection })
  const [t1, t2, t3] = [dialogue.speaker(), dialogue.speaker(), dialogue.speaker()]
  for (const speaker of [t1, t2, t3]) speaker.begin(isolation)
  return { dialogue, t1, t2, t3, final: () => dialogue.engine.committed("accounts").map((row) => row["value"]) }
}

const levels: ReadonlyArray<Isolation> = ["read committed", "repeatable read"]

for (const isolation of levels) {
  const isRepeatable = isolation === "repeatable read"
  describe(`hermitage (${isolation})`, () => {
    it("G0: dirty writes wait, and never interleave", () => {
      const { t1, t2, final } = begin(isolation)
      assert.strictEqual(set(t1, 1, 11).text, "1:11")
      const second = set(t2, 1, 12)
      assert.strictEqual(second.text, "waits")
      assert.strictEqual(set(t1, 2, 21).text, "2:21")
      t1.commit()
      assert.strictEqual(second.text, isRepeatable ? "SerializationFailure" : "1:12")
      if (isRepeatable) {
        assert.strictEqual(t2.commit(), "RolledBack")
        assert.deepStrictEqual(final(), [11, 21])
      } else {
        assert.strictEqual(set(t2, 2, 22).text, "2:22")
        t2.commit()
        assert.deepStrictEqual(final(), [12, 22])
      }
    })

    it("G1a: aborted reads are not seen", () => {
      const { t1, t2 } = begin(isolation)
      set(t1, 1, 101)
      assert.strictEqual(all(t2).text, "1:10 2:20")
      t1.rollback()
      assert.strictEqual(all(t2).text, "1:10 2:20")
    })

    it("G1b: intermediate values are not seen", () => {
      const { t1, t2 } = begin(isolation)
      set(t1, 1, 101)
      assert.strictEqual(all(t2).text, "1:10 2:20")
      set(t1, 1, 11)
      t1.commit()
      assert.strictEqual(all(t2).text, isRepeatable ? "1:10 2:20" : "1:11 2:20")
    })

    it("G1c: information does not flow in a circle", () => {
      const { t1, t2 } = begin(isolation)
      set(t1, 1, 11)
      set(t2, 2, 22)
      assert.strictEqual(read(t1, 2).text, "2:20")
      assert.strictEqual(read(t2, 1).text, "1:10")
      assert.strictEqual(t1.commit(), "Committed")
      assert.strictEqual(t2.commit(), "Committed")
    })

    it("OTV: an observed transaction does not vanish", () => {
      const { t1, t2, t3 } = begin(isolation)
      set(t1, 1, 11)
      set(t1, 2, 19)
      const second = set(t2, 1, 12)
      assert.strictEqual(second.text, "waits")
      t1.commit()
      assert.strictEqual(read(t3, 1).text, "1:11")
      if (isRepeatable) {
        assert.strictEqual(second.text, "SerializationFailure")
      } else {
        assert.strictEqual(second.text, "1:12")
        set(t2, 2, 18)
      }
      assert.strictEqual(read(t3, 2).text, "2:19")
      t2.commit()
      assert.strictEqual(read(t3, 2).text, isRepeatable ? "2:19" : "2:18")
      assert.strictEqual(read(t3, 1).text, isRepeatable ? "1:11" : "1:12")
    })

    it("PMP: a predicate read again finds the new row only under read committed", () => {
      const { t1, t2 } = begin(isolation)
      assert.strictEqual(byValue(t1, 30).text, "-")
      t2.say((t) => t.insert(accounts, { id: 3, name: "three", value: 30 }))
      t2.commit()
      const found = t1.say((t) => t.select(accounts, { where: (row) => isIn(row.value, [30, 60]) }))
      assert.strictEqual(found.text, isRepeatable ? "-" : "3:30")
    })

    it("PMP for write predicates: the re-evaluated delete misses the row that came to match", () => {
      const { t1, t2, final } = begin(isolation)
      t1.say((t) => t.update(accounts, { where: () => always, set: (row) => ({ value: add(row.value, 10) }) }))
      const removal = t2.say((t) => t.delete(accounts, { where: (row) => eq(row.value, 20) }))
      assert.strictEqual(removal.text, "waits")
      t1.commit()
      assert.strictEqual(removal.text, isRepeatable ? "SerializationFailure" : "-")
      t2.commit()
      assert.deepStrictEqual(final(), [20, 30])
    })

    it("P4: an update is lost under read committed, and refused under repeatable read", () => {
      const { t1, t2, final } = begin(isolation)
      assert.strictEqual(read(t1, 1).text, "1:10")
      assert.strictEqual(read(t2, 1).text, "1:10")
      set(t1, 1, 11)
      const second = set(t2, 1, 12)
      assert.strictEqual(second.text, "waits")
      t1.commit()
      assert.strictEqual(second.text, isRepeatable ? "SerializationFailure" : "1:12")
      t2.commit()
      assert.deepStrictEqual(final(), [isRepeatable ? 11 : 12, 20])
    })

    it("G-single: read skew only under read committed", () => {
      const { t1, t2 } = begin(isolation)
      assert.strictEqual(read(t1, 1).text, "1:10")
      assert.strictEqual(all(t2).text, "1:10 2:20")
      set(t2, 1, 12)
      set(t2, 2, 18)
      t2.commit()
      assert.strictEqual(read(t1, 2).text, isRepeatable ? "2:20" : "2:18")
    })

    it("G-single with predicates: the second predicate read is skewed only under read committed", () => {
      const { t1, t2 } = begin(isolation)
      assert.strictEqual(t1.say((t) => t.select(accounts, { where: (row) => gt(row.value, 5) })).text, "1:10 2:20")
      t2.say((t) => t.update(accounts, { where: (row) => eq(row.value, 10), set: () => ({ value: 12 }) }))
      t2.commit()
      assert.strictEqual(byValue(t1, 12).text, isRepeatable ? "-" : "1:12")
    })

    it("G-single with a write predicate: the delete meets a changed row", () => {
      const { t1, t2 } = begin(isolation)
      assert.strictEqual(read(t1, 1).text, "1:10")
      all(t2)
      set(t2, 1, 12)
      set(t2, 2, 18)
      t2.commit()
      const removal = t1.say((t) => t.delete(accounts, { where: (row) => eq(row.value, 20) }))
      assert.strictEqual(removal.text, isRepeatable ? "SerializationFailure" : "-")
    })

    it("G2-item: write skew is allowed at both levels", () => {
      const { t1, t2, final } = begin(isolation)
      all(t1)
      all(t2)
      set(t1, 1, 11)
      set(t2, 2, 21)
      assert.strictEqual(t1.commit(), "Committed")
      assert.strictEqual(t2.commit(), "Committed")
      assert.deepStrictEqual(final(), [11, 21])
    })

    it("G2: predicates that each other's inserts would meet are allowed at both levels", () => {
      const { t1, t2, final } = begin(isolation)
      assert.strictEqual(byValue(t1, 30).text, "-")
      assert.strictEqual(byValue(t2, 30).text, "-")
      t1.say((t) => t.insert(accounts, { id: 3, name: "three", value: 30 }))
      t2.say((t) => t.insert(accounts, { id: 4, name: "four", value: 30 }))
      assert.strictEqual(t1.commit(), "Committed")
      assert.strictEqual(t2.commit(), "Committed")
      assert.deepStrictEqual(final(), [10, 20, 30, 30])
    })
  })
}
