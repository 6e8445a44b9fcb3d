import { assert, describe, it } from "@effect/vitest"
import type { WatchEvent } from "../../core/watch/WatchFrame.ts"
import { type ChangeLog, changesMax, type Happened, logged, noChanges } from "./changeLog.ts"

const fleet = (generation: number, type: WatchEvent["type"] = "modified"): WatchEvent => ({
  type,
  kind: "fleet",
  id: "p/web",
  project: "p",
  document: { id: "p/web", generation }
})
const running = { state: "RUNNING", reason: null, deletionRequestedAt: null, parkedAt: null, fleet: "p/web" }
const instance = (
  name: string,
  changes: Readonly<Record<string, string | number | null>> = {},
  type: WatchEvent["type"] = "modified"
): WatchEvent => ({
  type,
  kind: "instance",
  id: `${name}-uid`,
  project: "p",
  document: { ...running, uid: `${name}-uid`, name, ...changes }
})

/** One after the other, each with what the one before it of the same row said. */
const after = (events: ReadonlyArray<WatchEvent>, known: ReadonlyArray<WatchEvent> = []): ChangeLog => {
  const rows = new Map(known.map(({ document, id }) => [id, document]))
  const happened = events.map((event): Happened => {
    const before = rows.get(event.id)
    rows.set(event.id, event.document)
    return { event, before }
  })
  return logged(noChanges, happened, 5)
}
const lines = ({ changes }: ChangeLog) => changes.map(({ name, what }) => `${name}: ${what}`)

describe("what has changed", () => {
  it("is told of an instance that dies and of the one in its place", () => {
    const log = after(
      [
        instance("web-0", { state: "ERROR", reason: "Vanished" }),
        instance("web-0", { state: "ERROR", reason: "Vanished", deletionRequestedAt: 1 }),
        instance("web-0", { state: "DELETING", reason: "Vanished", deletionRequestedAt: 1 }),
        instance("web-0", {}, "deleted"),
        instance("web-0b", { state: "PENDING" }, "added"),
        instance("web-0b")
      ],
      [fleet(1), instance("web-0")]
    )
    assert.deepStrictEqual(lines(log), [
      "web-0: ERROR: Vanished",
      "web-0: its end is asked for",
      "web-0: DELETING",
      "web-0: deleted",
      "web-0b: created",
      "web-0b: RUNNING"
    ])
    assert.deepStrictEqual(log.tallies.get("p/web"), { generation: 0, isPart: true, created: 1, failed: 1, deleted: 1 })
    assert.deepStrictEqual(
      log.changes.map(({ atMillis, nr }) => [nr, atMillis]),
      [1, 2, 3, 4, 5, 6].map((nr) => [nr, 5])
    )
  })

  it("is counted anew from each change of what is wanted on: ten to three are exactly seven", () => {
    const ten = Array.from({ length: 10 }, (_, nth) => `web-${nth}`)
    const log = after([
      fleet(1, "added"),
      ...ten.map((name) => instance(name, {}, "added")),
      fleet(2),
      ...ten.slice(3).map((name) => instance(name, {}, "deleted")),
      // Its counters are no change of what is wanted.
      { ...fleet(2), kind: "fleet-status" }
    ])
    assert.deepStrictEqual(
      [...log.tallies.values()],
      [{ generation: 2, isPart: false, created: 0, failed: 0, deleted: 7 }]
    )
    assert.lengthOf(lines(log), 17)
    assert.isEmpty([...after([fleet(1, "added"), fleet(1, "deleted")]).tallies])
  })

  it("says nothing of a heartbeat, and forgets the oldest lines", () => {
    assert.isEmpty(lines(after([instance("web-0", { lastHeartbeatAt: 3 })], [instance("web-0")])))
    const many = after(Array.from({ length: 250 }, (_, nth) => instance(`web-${nth}`, {}, "added")))
    assert.lengthOf(many.changes, changesMax)
    assert.strictEqual(many.changes.at(-1)!.nr, 250)
    assert.strictEqual(many.tallies.get("p/web")!.created, 250)
  })
})
