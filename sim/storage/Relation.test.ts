/** A table's memory: versions are forgotten when no snapshot can show them, and indexes with them. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Relation } from "./Relation.ts"
import { accounts } from "./Dialogue.ts"
import { type Slot, Transaction } from "./Transaction.ts"

const begin = (id: number) =>
  new Transaction({ id, label: "test", isolation: "read committed", clockSettings: 0, startedAtMicros: 0 })

const row = (id: number, name: string) => ({ id, name, value: 1 })

const write = (relation: Relation, slot: Slot, writer: Transaction, name: string | undefined) => {
  const next = name === undefined ? undefined : row(1, name)
  slot.head = {
    row: next,
    writer,
    command: 1,
    lock: "for update",
    reindexed: true,
    missing: undefined,
    exclusive: undefined,
    previous: slot.head
  }
  if (next !== undefined) for (const index of relation.indexes) index.add(slot, next)
}

const keysOf = (relation: Relation, index: number) => [...relation.indexes[index]!.buckets.keys()]

describe("a relation", () => {
  it("remembers exactly the versions that the horizon can show, whatever was committed or undone", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.constantFrom("a", "b", "c"), commits: fc.boolean() }), { maxLength: 20 }),
        fc.nat({ max: 20 }),
        (writes, horizon) => {
          const relation = new Relation(accounts)
          const first = begin(0)
          first.commitSequence = 0
          const slot = relation.insert(row(1, "a"), first, 1)
          for (const index of relation.indexes) index.add(slot, slot.head!.row!)
          const history = [{ name: "a", sequence: 0 }]
          for (const [position, { name, commits }] of writes.entries()) {
            const writer = begin(position + 1)
            write(relation, slot, writer, name)
            if (commits) {
              writer.commitSequence = position + 1
              history.unshift({ name, sequence: position + 1 })
            } else relation.undo(slot, writer)
          }
          relation.prune(slot, horizon)
          const oldest = history.findIndex(({ sequence }) => sequence <= horizon)
          const kept = history.slice(0, oldest + 1).map(({ name }) => name)
          const names: Array<unknown> = []
          for (let version = slot.head; version !== undefined; version = version.previous)
            names.push(version.row!["name"])
          assert.deepStrictEqual(names, kept)
          assert.sameMembers(keysOf(relation, 1), [...new Set(kept)])
        }
      )
    )
  })

  it("forgets a row that was deleted, and one whose insert was undone, in every index", () => {
    const relation = new Relation(accounts)
    const [first, second] = [begin(1), begin(2)]
    const slot = relation.insert(row(1, "a"), first, 1)
    for (const index of relation.indexes) index.add(slot, slot.head!.row!)
    first.commitSequence = 1
    write(relation, slot, second, undefined)
    second.commitSequence = 2
    relation.prune(slot, 1)
    assert.strictEqual(relation.slots.size, 1, "a snapshot of 1 still shows it")
    relation.prune(slot, 2)
    const undone = relation.insert(row(2, "b"), begin(3), 1)
    for (const index of relation.indexes) index.add(undone, undone.head!.row!)
    relation.undo(undone, undone.head!.writer)
    assert.strictEqual(relation.slots.size, 0)
    assert.deepStrictEqual([keysOf(relation, 0), keysOf(relation, 1)], [[], []])
  })

  it("answers several keys in scan order, each row once", () => {
    const relation = new Relation(accounts)
    const writer = begin(1)
    for (const id of [3, 1, 2]) {
      const slot = relation.insert(row(id, `n${id}`), writer, 1)
      for (const index of relation.indexes) index.add(slot, slot.head!.row!)
    }
    const found = relation.candidates(new Map([["id", [1, 2, 3, 3]]]))
    assert.deepStrictEqual(
      [...found].map((slot) => slot.head!.row!["id"]),
      [3, 1, 2]
    )
  })
})
