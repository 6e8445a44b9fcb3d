import { assert, describe, it } from "@effect/vitest"
import { instanceView, fleetView } from "../api/Views.ts"
import { type Agent, agents } from "../heartbeat/Heartbeat.ts"
import { fleets } from "../fleet/Fleet.ts"
import type { RowChange } from "../facts/Envelope.ts"
import { idempotencyKeys } from "../idempotency/IdempotencyKey.ts"
import { instances } from "../instance/Instance.ts"
import { acknowledgedIsDone } from "./acknowledgedIsDone.ts"
import { change, commit, fleetRow, instanceRow, keyRow, type Line, told } from "./Story.fixture.ts"

const [wanted, more] = [fleetRow(), fleetRow({ desired: 2, generation: 2 })]
const alive = instanceRow("a", { fleet: null, ordinal: null })
const asked = instanceRow("a", { fleet: null, ordinal: null, deletionRequestedAt: 7 })

const wrote = (...changes: ReadonlyArray<RowChange>): Line => [1, "database", commit("whatever", changes)]
const claims = (route: string): Line => wrote(change(idempotencyKeys, `p/alice/${route}/k1`, null, executing(route)))
const executing = (route: string) => keyRow({ scope: `p/alice/${route}` })
const records = (route: string, document: unknown, status = 202): RowChange =>
  change(idempotencyKeys, `p/alice/${route}/k1`, executing(route), {
    ...executing(route),
    state: "finished",
    status,
    body: JSON.stringify(document)
  })

describe("acknowledged-is-done", () => {
  const put = "fleets/put"
  const created = change(fleets, "p/web", null, wanted)
  const scaled = change(fleets, "p/web", wanted, more)

  it("holds when the row is as the answer says, in the same commit or since before", () =>
    assert.strictEqual(
      told(
        acknowledgedIsDone,
        claims(put),
        wrote(created, records(put, fleetView(wanted, undefined), 201)),
        claims(put),
        wrote(records(put, fleetView(wanted, undefined), 200)),
        claims(put),
        wrote(scaled, records(put, fleetView(more, undefined), 200))
      ),
      "holds"
    ))

  it("finds a scaling that was acknowledged and never done, and a fleet that was never created", () => {
    const undone = wrote(records(put, fleetView(more, undefined), 200))
    assert.include(
      told(acknowledgedIsDone, wrote(created), claims(put), undone),
      "fleet p/web is acknowledged as generation 2 with 2, and its row is generation 1 with 1"
    )
    assert.include(told(acknowledgedIsDone, claims(put), undone), "fleet p/web is acknowledged and not there")
  })

  const create = "instances/create"
  const present = change(instances, "a", null, alive)
  const ends = change(instances, "a", alive, asked)

  it("lets a refusal say what it likes", () =>
    assert.strictEqual(told(acknowledgedIsDone, wrote(records(create, { _tag: "Conflict" }, 409))), "holds"))

  it("finds an instance that is not there, and one that was on its way out before the request", () => {
    const answered = wrote(records(create, instanceView(alive)))
    assert.include(told(acknowledgedIsDone, claims(create), answered), "instance a is acknowledged and not there")
    assert.include(
      told(acknowledgedIsDone, wrote(present), wrote(ends), claims(create), answered),
      "its end was asked for before the request"
    )
  })

  it("lets an instance go between the look and the answer, even for good", () => {
    const answered = wrote(records(create, instanceView(alive)))
    const gone = wrote(change(instances, "a", asked, null))
    assert.strictEqual(told(acknowledgedIsDone, wrote(present), claims(create), wrote(ends), gone, answered), "holds")
  })

  it("finds a deletion that nobody asked the row for, or whose answer shows no end", () => {
    const remove = "instances/delete"
    assert.strictEqual(
      told(acknowledgedIsDone, wrote(present), claims(remove), wrote(ends, records(remove, instanceView(asked)))),
      "holds"
    )
    assert.include(
      told(acknowledgedIsDone, wrote(present), claims(remove), wrote(records(remove, instanceView(asked)))),
      "its row was asked at another time or never"
    )
    assert.include(
      told(acknowledgedIsDone, wrote(present), claims(remove), wrote(ends, records(remove, instanceView(alive)))),
      "shows instance a as wanted"
    )
  })

  it("finds an agent that was acknowledged as let go, and was not", () => {
    const agent: Agent = { id: "a1", incarnation: 2, registeredAt: 1, host: null, process: null, heardAt: null }
    const forget = "agents/forget"
    const goes = change(agents, "a1", { ...agent, incarnation: 1, host: "h1" }, agent)
    assert.strictEqual(told(acknowledgedIsDone, claims(forget), wrote(goes, records(forget, agent, 200))), "holds")
    assert.include(
      told(acknowledgedIsDone, wrote(goes), claims(forget), wrote(records(forget, { ...agent, incarnation: 3 }, 200))),
      "agent a1 is acknowledged as let go at incarnation 3, and its row is at 2"
    )
    assert.include(
      told(acknowledgedIsDone, claims(forget), wrote(records(forget, agent, 200))),
      "agent a1 is acknowledged and not there"
    )
  })
})
