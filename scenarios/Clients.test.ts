import { assert, describe, it } from "@effect/vitest"
import { fleetView, instanceView } from "../core/api/Views.ts"
import { fleetRow, instanceRow, type Line, told } from "../core/invariants/Story.fixture.ts"
import { answeredAlways } from "./answeredAlways.ts"
import { answeredInTime } from "./answeredInTime.ts"
import type { ClientAnswered, ClientGaveUp, ClientRead } from "./Clients.ts"
import { readYourWrites } from "./readYourWrites.ts"

const answered = (document: unknown, client = "client-1"): Line => {
  const fact: ClientAnswered = { _tag: "ClientAnswered", nth: 1, key: "k", body: "", answer: JSON.stringify(document) }
  return [1, client, fact]
}
const read = (what: ClientRead["what"], of: string, document: unknown, client = "client-1"): Line => {
  const fact: ClientRead = { _tag: "ClientRead", nth: 1, what, of, answer: JSON.stringify(document) }
  return [2, client, fact]
}
const notFound = { _tag: "NotFound", detail: "there is no such thing" }

describe("read-your-writes", () => {
  const one = fleetView(fleetRow(), undefined)
  const two = fleetView(fleetRow({ generation: 2, desired: 2 }), undefined)

  it("holds when a client reads what it was told, or later", () =>
    assert.strictEqual(
      told(readYourWrites, answered(one), read("fleet", "p/web", one), read("fleet", "p/web", two)),
      "holds"
    ))

  it("finds an older fleet, another one of the same generation, and none at all", () => {
    assert.include(
      told(readYourWrites, answered(two), read("fleet", "p/web", one)),
      "client-1 read generation 1 of fleet p/web with 1, and was told generation 2 with 2"
    )
    assert.include(told(readYourWrites, answered(two), read("fleet", "p/web", { ...two, desired: 3 })), "with 3")
    assert.include(told(readYourWrites, answered(two), read("fleet", "p/web", notFound)), "there is no fleet p/web")
  })

  it("finds a read that is older than another read, and forgives a replay that is older than either", () => {
    const reads = [read("fleet", "p/web", two), answered(one), read("fleet", "p/web", two)]
    assert.strictEqual(told(readYourWrites, ...reads), "holds")
    assert.include(told(readYourWrites, ...reads, read("fleet", "p/web", one)), "read generation 1")
  })

  it("asks of each client only what that client was told", () =>
    assert.strictEqual(told(readYourWrites, answered(two), read("fleet", "p/web", one, "client-2")), "holds"))

  const row = instanceRow("a", { fleet: null, ordinal: null, revision: 3 })
  const alive = instanceView(row)
  const ending = instanceView({ ...row, revision: 4, deletionRequestedAt: 7 })
  const asks: Line = [1, "n1", { _tag: "DeletionAsked", uid: "a" } as Line[2]]

  it("finds an instance that is gone, alone or from a list, unless somebody asked for its end", () => {
    assert.include(told(readYourWrites, answered(alive), read("instance", "a", notFound)), "there is no instance a")
    assert.include(told(readYourWrites, answered(alive), read("instances", "", [])), "a list without instance a")
    assert.strictEqual(
      told(readYourWrites, answered(alive), asks, read("instance", "a", notFound), read("instances", "", [])),
      "holds"
    )
  })

  it("lets the instances of a fleet come and go", () => {
    const member = instanceView(instanceRow("b"))
    assert.strictEqual(told(readYourWrites, read("instances", "", [member]), read("instances", "", [])), "holds")
  })

  it("finds an older revision in a list, and a deletion that a read knows nothing of", () => {
    assert.include(
      told(readYourWrites, answered(alive), read("instances", "", [{ ...alive, revision: 2 }])),
      "read revision 2 of instance a, and was told revision 3"
    )
    assert.include(
      told(readYourWrites, asks, answered(ending), read("instance", "a", { ...alive, revision: 5 })),
      "instance a as wanted, and was told of its end"
    )
  })
})

describe("a client that gives up", () => {
  const gaveUp = (isHealed: boolean): Line => {
    const fact: ClientGaveUp = { _tag: "ClientGaveUp", what: "put k", because: "Conflict", isHealed }
    return [1, "client-1", fact]
  }

  it("is a violation once the faults are over", () => {
    assert.strictEqual(told(answeredInTime, gaveUp(false)), "holds")
    assert.strictEqual(told(answeredInTime, gaveUp(true)), "client-1 was not answered: put k")
  })

  it("is one at any time in a story without faults", () =>
    assert.strictEqual(told(answeredAlways, gaveUp(false)), "client-1 gave up: put k"))
})
