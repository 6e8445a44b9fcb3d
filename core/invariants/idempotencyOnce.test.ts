import { assert, describe, it } from "@effect/vitest"
import { fleets } from "../fleet/Fleet.ts"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { idempotencyKeys, type IdempotencyKey } from "../idempotency/IdempotencyKey.ts"
import { idempotencyOnce } from "./idempotencyOnce.ts"
import { change, commit, fleetRow, keyRow, type Line, told } from "./Story.fixture.ts"

const key = "p/alice/fleets/put/k1"
const executing = keyRow()
const finished = keyRow({ state: "finished", status: 201, body: "{}" })
const wrote = (before: IdempotencyKey | null, after: IdempotencyKey | null) =>
  change(idempotencyKeys, key, before, after)
const created = change(fleets, "p/web", null, fleetRow())
const claimed: Line = [1, "database", commit("idempotency/claim", [wrote(null, executing)])]
const done: Line = [2, "database", commit("fleets/put", [created, wrote(executing, finished)])]
const answered = (body: string, status = 201): Line => [
  3,
  "n1",
  {
    _tag: "Acknowledged",
    scope: "p/alice/fleets/put",
    key: "k1",
    status,
    resultHash: fnv1a32(`${status}\n${body}`),
    isReplay: false
  } as Line[2]
]

describe("idempotency-once", () => {
  it("holds from the claim over the effect to the answer and its replays", () =>
    assert.strictEqual(told(idempotencyOnce(), claimed, done, answered("{}"), answered("{}")), "holds"))

  it("holds when an abandoned claim is taken over and then finished, and when a key is forgotten after its time", () => {
    const taken = { ...executing, holder: "n2/1", epoch: 2 }
    const finishedLater = { ...finished, holder: "n2/1", epoch: 2 }
    assert.strictEqual(
      told(
        idempotencyOnce(),
        claimed,
        [7, "database", commit("idempotency/claim", [wrote(executing, taken)])],
        [8, "database", commit("fleets/put", [created, wrote(taken, finishedLater)])],
        [86_500, "database", commit("idempotency/purge", [wrote(finishedLater, null)])]
      ),
      "holds"
    )
  })

  it("finds an effect whose answer is recorded in a transaction of its own", () =>
    assert.include(
      told(idempotencyOnce(), claimed, [2, "database", commit("fleets/put", [created])]),
      "changed fleet p/web without the record of its answer"
    ))

  it("finds an answer that was never recorded, and one that differs from the recorded", () => {
    assert.include(told(idempotencyOnce(), claimed, answered("{}", 409)), "an answer was given that is not recorded")
    assert.include(told(idempotencyOnce(), claimed, done, answered('{"desired":2}')), "differs from the recorded one")
  })

  it("finds a finished key that changes, and one that is forgotten too early", () => {
    const again = { ...executing, epoch: 2 }
    assert.include(
      told(idempotencyOnce(), claimed, done, [9, "database", commit("idempotency/claim", [wrote(finished, again)])]),
      "finished and then changed"
    )
    assert.include(
      told(idempotencyOnce(), claimed, done, [9, "database", commit("idempotency/purge", [wrote(finished, null)])]),
      "forgotten before its time"
    )
  })

  it("knows what the deployment promises: forgotten after 100 s is too early by default, and right where a minute is promised", () => {
    const story: ReadonlyArray<Line> = [
      claimed,
      done,
      [100, "database", commit("idempotency/purge", [wrote(finished, null)])]
    ]
    assert.include(told(idempotencyOnce(), ...story), "forgotten before its time")
    assert.strictEqual(told(idempotencyOnce(60_000), ...story), "holds")
  })

  it("finds a zombie that finishes what another has taken over", () => {
    const taken = { ...executing, holder: "n2/1", epoch: 2 }
    assert.include(
      told(
        idempotencyOnce(),
        claimed,
        [7, "database", commit("idempotency/claim", [wrote(executing, taken)])],
        [8, "database", commit("fleets/put", [created, wrote(taken, finished)])]
      ),
      "its epoch went from 2 to 1"
    )
  })
})
