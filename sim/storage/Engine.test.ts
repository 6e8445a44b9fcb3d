/** Stories of the storage model: what waits, what it answers when it may go on, and what is left behind. */
import { assert, describe, it } from "@effect/vitest"
import { add, always, and, clockTimestamp, eq, ge, isIn, isNull, le, ne, now, or } from "../../core/ports/Condition.ts"
import { type Isolation, Timeout, leases } from "../../core/ports/Storage.ts"
import { integer, json, literals, make, nullable, text, timestamp } from "../../core/ports/Table.ts"
import * as Schema from "effect/Schema"
import { Dialogue, type Reply, type Speaker, accounts, withAccounts } from "./Dialogue.ts"

const levels: ReadonlyArray<Isolation> = ["read committed", "repeatable read"]

const addTo = (speaker: Speaker, id: number, amount: number): Reply =>
  speaker.say((t) =>
    t.update(accounts, { where: (row) => eq(row.id, id), set: (row) => ({ value: add(row.value, amount) }) })
  )
const all = (speaker: Speaker): Reply => speaker.say((t) => t.select(accounts))
const add1 = (speaker: Speaker, id: number, name: string): Reply =>
  speaker.say((t) => t.insert(accounts, { id, name, value: 1 }))
const upsert = (speaker: Speaker, id: number, name: string): Reply =>
  speaker.say((t) =>
    t.insert(
      accounts,
      { id, name, value: 1 },
      { onConflict: { target: ["id"], action: "update", set: (existing) => ({ value: add(existing.value, 1) }) } }
    )
  )

describe("read committed after a lock wait", () => {
  it("computes from the newest version, so that no increment is lost", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 5)
    const second = addTo(b, 1, 7)
    assert.strictEqual(second.text, "waits")
    a.commit()
    assert.strictEqual(second.text, "1:22")
  })

  it("skips a row that no longer qualifies, and keeps it locked", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    addTo(a, 1, 90)
    const cheap = b.say((t) =>
      t.update(accounts, { where: (row) => le(row.value, 50), set: (row) => ({ value: add(row.value, 1) }) })
    )
    assert.strictEqual(cheap.text, "waits")
    a.commit()
    assert.strictEqual(cheap.text, "2:21")
    const third = addTo(c, 1, 1)
    assert.strictEqual(third.text, "waits")
    b.commit()
    assert.strictEqual(third.text, "1:101")
  })

  it("goes on with the old version when the holder rolls back", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 5)
    const second = addTo(b, 1, 7)
    a.rollback()
    assert.strictEqual(second.text, "1:17")
  })

  it("skips a row that was deleted meanwhile, also when another with its key took its place", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    a.say((t) => t.delete(accounts, { where: (row) => eq(row.id, 1) }))
    add1(a, 1, "one again")
    const second = addTo(b, 1, 7)
    assert.strictEqual(second.text, "waits")
    a.commit()
    assert.strictEqual(second.text, "-")
    assert.strictEqual(addTo(b, 1, 7).text, "1:8")
  })

  it("serves those who wait in order of arrival", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    addTo(a, 1, 1)
    const second = addTo(b, 1, 10)
    const third = addTo(c, 1, 100)
    a.commit()
    assert.deepStrictEqual([second.text, third.text], ["1:21", "waits"])
    b.commit()
    assert.strictEqual(third.text, "1:121")
  })

  it("a check is tested on the version that was read, before waiting", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 100)
    assert.strictEqual(addTo(b, 1, -50).text, "CheckViolation")
  })
})

describe("repeatable read", () => {
  it("takes its snapshot at the first statement, not at begin", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("repeatable read"), dialogue.speaker().begin("read committed")]
    addTo(b, 1, 1)
    b.commit()
    assert.strictEqual(all(a).text, "1:11 2:20")
    addTo(b.begin("read committed"), 1, 1)
    b.commit()
    assert.strictEqual(all(a).text, "1:11 2:20")
  })

  it("sees its own writes over its snapshot", () => {
    const dialogue = withAccounts()
    const a = dialogue.speaker().begin("repeatable read")
    addTo(a, 1, 1)
    add1(a, 3, "three")
    a.say((t) => t.delete(accounts, { where: (row) => eq(row.id, 2) }))
    assert.strictEqual(all(a).text, "1:11 3:1")
  })

  it("refuses to lock a row changed since, for every mode but key share of an unchanged key", () => {
    for (const [lock, expected] of [
      ["for update", "SerializationFailure"],
      ["for no key update", "SerializationFailure"],
      ["for share", "SerializationFailure"],
      ["for key share", "1:10"]
    ] as const) {
      const dialogue = withAccounts()
      const [a, b] = [dialogue.speaker().begin("repeatable read"), dialogue.speaker().begin("read committed")]
      all(a)
      addTo(b, 1, 1)
      b.commit()
      assert.strictEqual(a.say((t) => t.get(accounts, { id: 1 }, { lock })).text, expected, lock)
    }
  })

  it("goes on after a wait when the holder only locked, or rolled back", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("repeatable read")]
    a.say((t) => t.get(accounts, { id: 1 }, { lock: "for update" }))
    const update = addTo(b, 1, 1)
    assert.strictEqual(update.text, "waits")
    a.commit()
    assert.strictEqual(update.text, "1:11")
  })

  it("cannot resolve a conflict with a row that its snapshot does not show", () => {
    for (const action of ["nothing", "update"] as const) {
      const dialogue = withAccounts()
      const [a, b] = [dialogue.speaker().begin("repeatable read"), dialogue.speaker().begin("read committed")]
      all(a)
      add1(b, 3, "three")
      b.commit()
      const reply =
        action === "update"
          ? upsert(a, 3, "mine")
          : a.say((t) =>
              t.insert(accounts, { id: 3, name: "mine", value: 1 }, { onConflict: { target: ["id"], action } })
            )
      assert.strictEqual(reply.text, "SerializationFailure", action)
    }
  })
})

describe("row locks", () => {
  const modes = ["for key share", "for share", "for no key update", "for update"] as const
  const compatible: Readonly<Record<string, ReadonlyArray<string>>> = {
    "for key share": ["for key share", "for share", "for no key update"],
    "for share": ["for key share", "for share"],
    "for no key update": ["for key share"],
    "for update": []
  }
  for (const held of modes) {
    for (const wanted of modes) {
      const passes = compatible[held]!.includes(wanted)
      it(`${wanted} ${passes ? "passes" : "waits for"} ${held}`, () => {
        const dialogue = withAccounts()
        const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
        a.say((t) => t.get(accounts, { id: 1 }, { lock: held }))
        const reply = b.say((t) => t.get(accounts, { id: 1 }, { lock: wanted }))
        assert.strictEqual(reply.text, passes ? "1:10" : "waits")
        a.rollback()
        assert.strictEqual(reply.text, "1:10")
      })
    }
  }

  it("an update of other columns passes for key share, one that changes a key value waits", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    a.say((t) => t.get(accounts, { id: 1 }, { lock: "for key share" }))
    assert.strictEqual(addTo(b, 1, 1).text, "1:11")
    b.commit()
    const rename = (name: string) =>
      c.say((t) => t.update(accounts, { where: (row) => eq(row.id, 1), set: () => ({ name }) }))
    assert.strictEqual(rename("one").text, "1:11", "the same value changes no key")
    assert.strictEqual(rename("uno").text, "waits")
    a.commit()
  })

  it("sharers go past a writer that waits, and can starve it", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    const share = (speaker: Speaker) => speaker.say((t) => t.get(accounts, { id: 1 }, { lock: "for share" }))
    share(a)
    const update = addTo(b, 1, 1)
    assert.strictEqual(share(c).text, "1:10")
    a.commit()
    assert.strictEqual(update.text, "waits")
    c.commit()
    assert.strictEqual(update.text, "1:11")
  })

  it("two sharers behind a writer go on together, a second writer after them", () => {
    const dialogue = withAccounts()
    const [a, b, c, d] = [1, 2, 3, 4].map(() => dialogue.speaker().begin("read committed")) as [
      Speaker,
      Speaker,
      Speaker,
      Speaker
    ]
    addTo(a, 1, 1)
    const share = (speaker: Speaker) => speaker.say((t) => t.get(accounts, { id: 1 }, { lock: "for share" }))
    const [first, second, writer] = [share(b), share(c), addTo(d, 1, 1)]
    a.commit()
    assert.deepStrictEqual([first.text, second.text, writer.text], ["1:11", "1:11", "waits"])
    b.commit()
    assert.strictEqual(writer.text, "waits")
    c.commit()
    assert.strictEqual(writer.text, "1:12")
  })

  it("skip locked takes what is free, and only that", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    const take = (speaker: Speaker) =>
      speaker.say((t) => t.select(accounts, { limit: 1, lock: "for update", skipLocked: true }))
    assert.deepStrictEqual([take(a).text, take(b).text, take(c).text], ["1:10", "2:20", "-"])
  })

  it("a waiter that gives up lets those behind it pass", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    a.say((t) => t.get(accounts, { id: 1 }, { lock: "for no key update" }))
    const strong = b.say((t) => t.get(accounts, { id: 1 }, { lock: "for update" }))
    const strongToo = c.say((t) => t.get(accounts, { id: 1 }, { lock: "for update" }))
    b.session.cancel(new Timeout({ limit: "lock" }))
    assert.deepStrictEqual([strong.text, strongToo.text], ["Timeout", "waits"])
    assert.strictEqual(b.commit(), "RolledBack")
    a.commit()
    assert.strictEqual(strongToo.text, "1:10")
  })

  it("orders by what the snapshot shows, then locks: a row changed meanwhile stays where it was", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 100)
    const sorted = b.say((t) => t.select(accounts, { orderBy: ["value"], lock: "for update" }))
    a.commit()
    assert.strictEqual(sorted.text, "1:110 2:20")
  })
})

describe("deadlock", () => {
  const crossed = (detection: "immediate" | "on demand") => {
    const dialogue = withAccounts({ deadlockDetection: detection })
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 1)
    addTo(b, 2, 1)
    return { dialogue, a, b, first: addTo(a, 2, 1), second: addTo(b, 1, 1) }
  }

  it("detected at once, the one who closes the cycle ends and the other goes on", () => {
    const { first, second, b } = crossed("immediate")
    assert.deepStrictEqual([first.text, second.text], ["2:21", "Deadlock"])
    assert.strictEqual(all(b).text, "Aborted")
    assert.strictEqual(b.commit(), "RolledBack")
  })

  it("detected by a timer, the one whose timer fires ends", () => {
    const { dialogue, a, b, first, second } = crossed("on demand")
    assert.deepStrictEqual([first.text, second.text], ["waits", "waits"])
    assert.isTrue(dialogue.engine.checkDeadlock(a.session))
    assert.deepStrictEqual([first.text, second.text], ["Deadlock", "1:11"])
    assert.isFalse(dialogue.engine.checkDeadlock(b.session))
  })

  it("a plain wait is none, however long the chain", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    addTo(a, 1, 1)
    addTo(b, 2, 1)
    addTo(b, 1, 1)
    addTo(c, 2, 1)
    assert.isFalse(dialogue.engine.checkDeadlock(b.session))
    assert.isFalse(dialogue.engine.checkDeadlock(c.session))
  })

  it("through an uncommitted duplicate", () => {
    const dialogue = withAccounts({ deadlockDetection: "immediate" })
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    add1(a, 3, "three")
    add1(b, 4, "four")
    const first = add1(a, 4, "four of a")
    assert.strictEqual(first.text, "waits")
    assert.strictEqual(add1(b, 3, "three of b").text, "Deadlock")
    assert.strictEqual(first.text, "4:1")
  })

  it("an upgrade from shared to exclusive by two at once", () => {
    const dialogue = withAccounts({ deadlockDetection: "immediate" })
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    for (const speaker of [a, b]) speaker.say((t) => t.get(accounts, { id: 1 }, { lock: "for share" }))
    const first = addTo(a, 1, 1)
    assert.strictEqual(addTo(b, 1, 1).text, "Deadlock")
    assert.strictEqual(first.text, "1:11")
  })
})

describe("unique constraints", () => {
  it("an insert waits for an uncommitted duplicate: violation after its commit, success after its rollback", () => {
    for (const ending of ["commit", "rollback"] as const) {
      const dialogue = withAccounts()
      const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
      add1(a, 3, "three")
      const byKey = add1(b, 3, "other")
      const byName = add1(c, 4, "three")
      assert.deepStrictEqual([byKey.text, byName.text], ["waits", "waits"])
      a[ending]()
      assert.deepStrictEqual(
        [byKey.text, byName.text],
        ending === "commit" ? ["UniqueViolation", "UniqueViolation"] : ["3:1", "4:1"]
      )
    }
  })

  it("names the constraint", () => {
    const dialogue = withAccounts()
    const violation = (id: number, name: string) => {
      const { outcome } = add1(dialogue.speaker().begin("read committed"), id, name)
      return outcome?._tag === "Failed" && outcome.reason._tag === "UniqueViolation" ? outcome.reason.constraint : ""
    }
    assert.strictEqual(violation(1, "x"), "accounts_pkey")
    assert.strictEqual(violation(9, "two"), "accounts_key_name")
  })

  it("an insert waits for an uncommitted delete, and for an update away from its key", () => {
    const dialogue = withAccounts()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    a.say((t) => t.delete(accounts, { where: (row) => eq(row.id, 1) }))
    a.say((t) => t.update(accounts, { where: (row) => eq(row.id, 2), set: () => ({ id: 22 }) }))
    const [one, two] = [add1(b, 1, "uno"), add1(c, 2, "dos")]
    assert.deepStrictEqual([one.text, two.text], ["waits", "waits"])
    a.commit()
    assert.deepStrictEqual([one.text, two.text], ["1:1", "2:1"])
  })

  it("a key freed and taken again within one transaction is no duplicate", () => {
    const a = withAccounts().speaker().begin("read committed")
    a.say((t) => t.delete(accounts, { where: (row) => eq(row.id, 1) }))
    assert.strictEqual(add1(a, 1, "one").text, "1:1")
    assert.strictEqual(add1(a, 1, "two").text, "UniqueViolation")
  })

  it("an update onto the key of a row that comes later in the scan is refused at once, as in Postgres", () => {
    const a = withAccounts().speaker().begin("read committed")
    const reply = a.say((t) => t.update(accounts, { where: () => always, set: (row) => ({ id: add(row.id, 1) }) }))
    assert.strictEqual(reply.text, "UniqueViolation")
  })

  it("on conflict do nothing leaves the row, other constraints still count", () => {
    const dialogue = withAccounts()
    const a = dialogue.speaker().begin("read committed")
    const insert = (id: number, name: string) =>
      a.say((t) => t.insert(accounts, { id, name, value: 5 }, { onConflict: { target: ["id"], action: "nothing" } }))
        .text
    assert.deepStrictEqual([insert(1, "x"), insert(3, "three"), insert(4, "two")], ["-", "3:5", "UniqueViolation"])
  })

  it("on conflict do update waits for the uncommitted row, then counts on it", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    assert.strictEqual(upsert(a, 3, "three").text, "3:1")
    const second = upsert(b, 3, "three")
    assert.strictEqual(second.text, "waits")
    a.commit()
    assert.strictEqual(second.text, "3:2")
    b.commit()
    assert.strictEqual(upsert(dialogue.speaker().begin("read committed"), 3, "three").text, "3:3")
  })

  it("on conflict do update inserts after all when the duplicate is rolled back", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    upsert(a, 3, "three")
    const second = upsert(b, 3, "three")
    a.rollback()
    assert.strictEqual(second.text, "3:1")
  })

  it("on conflict do update whose condition fails returns nothing, and keeps the row locked", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    const reply = a.say((t) =>
      t.insert(
        accounts,
        { id: 1, name: "one", value: 3 },
        {
          onConflict: {
            target: ["id"],
            action: "update",
            set: (_existing, excluded) => ({ value: excluded.value }),
            where: (existing, excluded) => le(existing.value, excluded.value)
          }
        }
      )
    )
    assert.strictEqual(reply.text, "-")
    assert.strictEqual(addTo(b, 1, 1).text, "waits")
  })

  it("on conflict do update may not touch a row twice; do nothing may", () => {
    const twice = [
      { id: 3, name: "three", value: 1 },
      { id: 3, name: "three", value: 2 }
    ]
    const dialogue = withAccounts()
    const a = dialogue.speaker().begin("read committed")
    const nothing = a.say((t) => t.insert(accounts, twice, { onConflict: { target: ["id"], action: "nothing" } }))
    assert.strictEqual(nothing.text, "3:1")
    a.rollback()
    const update = a
      .begin("read committed")
      .say((t) =>
        t.insert(accounts, twice, { onConflict: { target: ["id"], action: "update", set: () => ({ value: 9 }) } })
      )
    assert.match(update.text, /a second time/)
  })
})

describe("errors", () => {
  it("a statement that fails leaves nothing, frees its locks at once, and dooms its transaction", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 1)
    const waiting = addTo(b, 1, 1)
    const failing = a.say((t) =>
      t.insert(accounts, [
        { id: 3, name: "three", value: 1 },
        { id: 4, name: "two", value: 1 }
      ])
    )
    assert.strictEqual(failing.text, "UniqueViolation")
    assert.strictEqual(waiting.text, "1:11", "freed by the failure, before any rollback")
    assert.strictEqual(all(a).text, "Aborted")
    assert.strictEqual(a.commit(), "RolledBack")
    b.commit()
    assert.deepStrictEqual(
      dialogue.engine.committed("accounts").map((row) => [row["id"], row["value"]]),
      [
        [1, 11],
        [2, 20]
      ]
    )
    assert.strictEqual(all(a.begin("read committed")).text, "1:11 2:20", "the session can be used again")
  })

  it("types, words, nulls and ranges are enforced", () => {
    const things = make("things", {
      columns: {
        id: text,
        state: literals("up", "down"),
        size: integer,
        seenAt: nullable(timestamp),
        body: nullable(json(Schema.Unknown))
      },
      primaryKey: ["id"]
    })
    const insert = (values: Record<string, unknown>): string => {
      const speaker = new Dialogue({ tables: [things] }).speaker().begin("read committed")
      const row = { id: "a", state: "up", size: 1, seenAt: null, body: null, ...values }
      const { outcome } = speaker.say((t) => t.insert(things, row as never))
      if (outcome?._tag !== "Failed" || outcome.reason._tag !== "CheckViolation") return outcome?._tag ?? "waits"
      return outcome.reason.constraint
    }
    assert.strictEqual(insert({}), "Answered")
    assert.strictEqual(insert({ state: "sideways" }), "things_state_check")
    assert.strictEqual(insert({ id: null }), "things_id_not_null")
    assert.strictEqual(insert({ size: undefined }), "things_size_not_null")
    assert.strictEqual(insert({ size: 2 ** 53 }), "things_size_range")
    assert.strictEqual(insert({ size: 1.5 }), "Defect")
    assert.strictEqual(insert({ size: "1" }), "Defect")
    assert.strictEqual(insert({ seenAt: 0.5 }), "Defect")
    assert.strictEqual(insert({ id: "a\u0000b" }), "Defect")
    assert.strictEqual(insert({ id: "\ud800" }), "Defect")
    assert.strictEqual(insert({ colour: "red" }), "Defect")
    assert.strictEqual(insert({ body: { at: 1, list: [true, "x"] } }), "Answered")
    assert.strictEqual(insert({ body: { at: Number.NaN } }), "Defect")
  })

  it("a check that is unknown passes", () => {
    const limits = make("limits", {
      columns: { id: integer, value: nullable(integer) },
      primaryKey: ["id"],
      checks: { positive: (row) => ge(row.value as never, 1) }
    })
    const insert = (value: number | null) =>
      new Dialogue({ tables: [limits] })
        .speaker()
        .begin("read committed")
        .say((t) => t.insert(limits, { id: 1, value })).outcome?._tag
    assert.deepStrictEqual([insert(null), insert(1), insert(0)], ["Answered", "Answered", "Failed"])
  })

  it("what is stored cannot be changed from outside", () => {
    const documents = make("documents", { columns: { id: integer, value: json(Schema.Unknown) }, primaryKey: ["id"] })
    const dialogue = new Dialogue({ tables: [documents] })
    const speaker = dialogue.speaker().begin("read committed")
    const body = { list: [1] }
    speaker.say((t) => t.insert(documents, { id: 1, value: body }))
    speaker.commit()
    body.list.push(2)
    const [row] = dialogue.engine.committed("documents")
    assert.deepStrictEqual(row?.["value"], { list: [1] })
    assert.throws(() => ((row!["value"] as { list: Array<number> }).list[0] = 9))
    assert.throws(() => ((row as { id: number }).id = 9))
  })
})

describe("conditions", () => {
  const rows = make("rows", {
    columns: { id: integer, value: nullable(integer), name: text },
    primaryKey: ["id"],
    indexes: [["name", "value"]]
  })
  const dialogue = new Dialogue({ tables: [rows] }).given((t) =>
    t.insert(rows, [
      { id: 1, value: null, name: "a" },
      { id: 2, value: 2, name: "b" },
      { id: 3, value: 3, name: "\uffff" },
      { id: 4, value: 4, name: "\u{1f600}" }
    ])
  )
  const ids = (...call: Parameters<Speaker["say"]>) =>
    dialogue
      .speaker()
      .begin("read committed")
      .say(...call).text

  it("null is neither equal nor different, and sorts last", () => {
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => ne(row.value as never, 2) })),
      "3:3 4:4"
    )
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => isNull(row.value) })),
      "1:null"
    )
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => eq(row.value, null) })),
      "-"
    )
    assert.strictEqual(
      ids((t) => t.select(rows, { orderBy: [{ column: "value", direction: "desc" }] })),
      "1:null 4:4 3:3 2:2"
    )
  })

  it("unknown or true is true, unknown and false is false", () => {
    const either = ids((t) => t.select(rows, { where: (row) => or(ge(row.value as never, 4), eq(row.id, 1)) }))
    assert.strictEqual(either, "1:null 4:4")
  })

  it("in: nothing is in (), and not in a list with null is never true", () => {
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => isIn(row.id, []) })),
      "-"
    )
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => isIn(row.id, [4, 2, 2, 9]) })),
      "2:2 4:4"
    )
    const notIn = ids((t) =>
      t.select(rows, { where: (row) => ({ _tag: "Not", condition: isIn(row.value, [2, null]) }) })
    )
    assert.strictEqual(notIn, "-")
  })

  it("an index serves a prefix of its columns", () => {
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => eq(row.name, "b") })),
      "2:2"
    )
    assert.strictEqual(
      ids((t) => t.select(rows, { where: (row) => and(eq(row.name, "b"), eq(row.value, 3)) })),
      "-"
    )
  })

  it("text is ordered by code point: beyond the basic plane comes last", () => {
    assert.strictEqual(
      ids((t) => t.select(rows, { orderBy: ["name"] })),
      "1:null 2:2 3:3 4:4"
    )
  })

  it("values of another type are a defect, not a mismatch", () => {
    assert.match(
      ids((t) => t.select(rows, { where: (row) => eq(row.id, "1" as never) })),
      /^defect: /
    )
    assert.match(
      ids((t) => t.select(rows, { where: (row) => ge(row.name, 1 as never) })),
      /^defect: /
    )
  })

  it("now() is the start of the transaction, clock_timestamp() the moment", () => {
    const events = make("events", {
      columns: { id: integer, began: timestamp, moment: timestamp },
      primaryKey: ["id"]
    })
    const story = new Dialogue({ tables: [events] })
    const speaker = story.speaker().begin("read committed")
    story.nowMicros += 500
    speaker.say((t) => t.insert(events, { id: 1, began: now, moment: clockTimestamp }))
    speaker.commit()
    assert.deepStrictEqual(story.engine.committed("events"), [{ id: 1, began: 1_000_000, moment: 1_000_500 }])
  })
})

/**
 * Comparing the epoch in a sub-select of the update's own condition would not fence: after a wait only the target row is read
 * again. The port has no sub-selects, so that mistake cannot be written; a fence is a statement of its own.
 */
describe("fences", () => {
  /** One lease at epoch 7. */
  const leased = () =>
    new Dialogue({ tables: [accounts, leases] }).given((t) =>
      t.insert(leases, {
        key: "leader",
        holder: "n1",
        epoch: 7,
        acquiredAt: 0,
        renewedAt: 0,
        expiresAt: 5_000_000,
        releasedAt: null
      })
    )
  const renew = (speaker: Speaker): Reply =>
    speaker.say((t) =>
      t.update(leases, {
        where: (row) => and(eq(row.key, "leader"), eq(row.epoch, 7)),
        set: () => ({ renewedAt: now, expiresAt: add(now, 5_000_000) })
      })
    )
  const takeOver = (speaker: Speaker): Reply =>
    speaker.say((t) =>
      t.insert(
        leases,
        { key: "leader", holder: "n2", epoch: 1, acquiredAt: now, renewedAt: now, expiresAt: now, releasedAt: null },
        {
          onConflict: {
            target: ["key"],
            action: "update",
            set: (existing, excluded) => ({ holder: excluded.holder, epoch: add(existing.epoch, 1) })
          }
        }
      )
    )

  it("refuses a stale epoch and a lease that is not there", () => {
    const dialogue = leased()
    const a = dialogue.speaker().begin("read committed")
    assert.strictEqual(a.fence("leader", 6).text, "Fenced")
    a.rollback()
    const { outcome } = a.begin("read committed").fence("nobody", 1)
    assert.isTrue(outcome?._tag === "Failed" && outcome.reason._tag === "Fenced" && outcome.reason.actualEpoch === null)
  })

  for (const isolation of levels) {
    it(`a renewal and a fence pass each other, in either order (${isolation})`, () => {
      const dialogue = leased()
      const [a, b] = [dialogue.speaker().begin(isolation), dialogue.speaker().begin("read committed")]
      assert.strictEqual(a.fence("leader", 7).text, "-")
      assert.strictEqual(renew(b).text, "leader:7")
      const c = dialogue.speaker().begin(isolation)
      assert.strictEqual(c.fence("leader", 7).text, "-")
      assert.deepStrictEqual([b.commit(), a.commit(), c.commit()], ["Committed", "Committed", "Committed"])
    })
  }

  it("a take-over waits for those inside the fence, and later fences find the new epoch", () => {
    const dialogue = leased()
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    a.fence("leader", 7)
    add1(a, 1, "written inside the fence")
    const taking = takeOver(b)
    assert.strictEqual(taking.text, "waits")
    a.commit()
    assert.strictEqual(taking.text, "leader:8")
    const stale = c.fence("leader", 7)
    assert.strictEqual(stale.text, "waits", "the take-over is not certain yet")
    b.commit()
    assert.strictEqual(stale.text, "Fenced")
  })

  it("a fence that waited for a take-over that failed goes on", () => {
    const dialogue = leased()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    takeOver(a)
    const fence = b.fence("leader", 7)
    assert.strictEqual(fence.text, "waits")
    a.rollback()
    assert.strictEqual(fence.text, "-")
  })

  it("under repeatable read a fence that waited for a take-over fails serialization, as for key share does", () => {
    const dialogue = leased()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("repeatable read")]
    takeOver(a)
    const fence = b.fence("leader", 7)
    a.commit()
    assert.strictEqual(fence.text, "SerializationFailure")
  })

  it("the commit says under which fences it was made", () => {
    const dialogue = leased()
    const a = dialogue.speaker().begin("read committed", { label: "accounts/open" })
    a.fence("leader", 7)
    add1(a, 1, "one")
    a.commit()
    assert.deepStrictEqual(dialogue.commits, [
      {
        transactionId: 2,
        label: "accounts/open",
        fences: [{ lease: "leader", epoch: 7 }],
        atMicros: 1_000_000,
        changes: [{ table: "accounts", key: "1", before: null, after: { id: 1, name: "one", value: 1 } }]
      }
    ])
  })
})

describe("commits and crashes", () => {
  it("a commit tells net changes, and one without changes tells nothing", () => {
    const dialogue = withAccounts()
    const a = dialogue.speaker().begin("read committed")
    addTo(a, 1, 1)
    addTo(a, 1, 1)
    add1(a, 3, "three")
    a.say((t) => t.delete(accounts, { where: (row) => isIn(row.id, [2, 3]) }))
    a.commit()
    all(a.begin("read committed"))
    a.commit()
    assert.strictEqual(dialogue.commits.length, 1)
    assert.deepStrictEqual(
      dialogue.commits[0]!.changes.map(({ key, before, after }) => [key, before?.["value"], after?.["value"]]),
      [
        ["1", 10, 12],
        ["2", 20, undefined]
      ]
    )
  })

  it("a restart ends every session, answers nothing more, and keeps what was committed", () => {
    const dialogue = withAccounts()
    const [a, b] = [dialogue.speaker().begin("read committed"), dialogue.speaker().begin("read committed")]
    addTo(a, 1, 1)
    const waiting = addTo(b, 1, 1)
    dialogue.engine.restart()
    assert.strictEqual(waiting.text, "waits")
    assert.deepStrictEqual([a.session.state, b.session.state, dialogue.engine.sessions.size], ["closed", "closed", 0])
    assert.strictEqual(addTo(dialogue.speaker().begin("read committed"), 1, 1).text, "1:11")
  })

  it("tells who waits for whom, and whose end or place in the queue let it go on", () => {
    const heard: Array<string> = []
    const dialogue = withAccounts({
      onWait: (session, wait, blockers) =>
        heard.push(`${session.id} waits (${wait._tag}) for ${blockers.map(({ id }) => id).join()}`),
      onGranted: (session, wait) => heard.push(`${session.id} goes on after ${wait.releasedBy?.id}`)
    })
    const [a, b, c] = [1, 2, 3].map(() => dialogue.speaker().begin("read committed")) as [Speaker, Speaker, Speaker]
    addTo(a, 1, 1)
    addTo(b, 1, 1)
    addTo(c, 1, 1)
    a.commit()
    b.rollback()
    assert.deepStrictEqual(heard, [
      "3 waits (Row) for 2",
      "4 waits (Row) for 3",
      "3 goes on after 2",
      "4 goes on after 2",
      "4 waits (Transaction) for 3",
      "4 goes on after 3"
    ])
  })
})
