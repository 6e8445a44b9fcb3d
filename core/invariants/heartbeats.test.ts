import { assert, describe, it } from "@effect/vitest"
import { type Instance, instances } from "../instance/Instance.ts"
import { heartbeatBrake } from "./heartbeatBrake.ts"
import { heartbeatByReceiver } from "./heartbeatByReceiver.ts"
import { change, clockSet, commit, instanceRow, type Line, micros, told } from "./Story.fixture.ts"

const heardAt = (uid: string, seconds: number): Instance =>
  instanceRow(uid, { state: "RUNNING", revision: 3, lastHeartbeatAt: micros(seconds) })
const wrote = (seconds: number, ...pairs: ReadonlyArray<readonly [Instance | null, Instance]>): Line => [
  seconds,
  "database",
  commit(
    "heartbeat",
    pairs.map(([before, after]) => change(instances, after.uid, before, after))
  )
]
const givenUp = (instance: Instance, seconds: number): Instance => ({
  ...instance,
  state: "ERROR",
  reason: "HeartbeatStale",
  revision: instance.revision + 1,
  updatedAt: micros(seconds)
})

describe("heartbeat-brake", () => {
  const fleet = Array.from({ length: 10 }, (_, index) => heardAt(`i${index}`, 0))
  const born = wrote(0, ...fleet.map((instance) => [null, instance] as const))

  it("holds when one falls silent and the others are heard (1 of 10)", () =>
    assert.strictEqual(
      told(
        heartbeatBrake,
        born,
        wrote(25, ...fleet.slice(1).map((instance) => [instance, heardAt(instance.uid, 25)] as const)),
        wrote(31, [fleet[0]!, givenUp(fleet[0]!, 31)])
      ),
      "holds"
    ))

  it("finds one that was given up though it was heard 29 s ago", () =>
    assert.include(told(heartbeatBrake, born, wrote(29, [fleet[0]!, givenUp(fleet[0]!, 29)])), "though it was heard"))

  it("finds replacement while all are late together (10 of 10)", () =>
    assert.include(
      told(heartbeatBrake, born, wrote(31, [fleet[0]!, givenUp(fleet[0]!, 31)])),
      "many were late together"
    ))

  it("blames nobody for those who became late, or for the store's clock that was set, while the silent were counted", () => {
    const heard = wrote(9, ...fleet.slice(1).map((before) => [before, heardAt(before.uid, 9)] as const))
    assert.strictEqual(told(heartbeatBrake, born, heard, wrote(31, [fleet[0]!, givenUp(fleet[0]!, 31)])), "holds")
    assert.strictEqual(
      told(heartbeatBrake, born, clockSet(0, 0), clockSet(5, 65, 60), wrote(6, [fleet[0]!, givenUp(fleet[0]!, 66)])),
      "holds"
    )
  })
})

describe("heartbeat-by-receiver", () => {
  const instance = heardAt("a", 0)

  it("holds for the store's time, whatever it is (a clock one hour ahead)", () =>
    assert.strictEqual(
      told(heartbeatByReceiver, clockSet(0, 3_600), wrote(2, [instance, heardAt("a", 3_602)])),
      "holds"
    ))

  it("finds the sender's time (a minute behind)", () =>
    assert.include(
      told(heartbeatByReceiver, clockSet(0, 0), wrote(62, [instance, heardAt("a", 2)])),
      "has not the store's time"
    ))

  it("blames nobody when the store's clock was set while the heartbeat was written (59 s back), but blames it soon after", () => {
    const clock = [clockSet(0, 0), clockSet(61, 2, -59)]
    assert.strictEqual(told(heartbeatByReceiver, ...clock, wrote(62, [instance, heardAt("a", 60.9)])), "holds")
    assert.strictEqual(told(heartbeatByReceiver, ...clock, wrote(62, [instance, heardAt("a", 3)])), "holds")
    assert.include(
      told(heartbeatByReceiver, ...clock, wrote(67, [instance, heardAt("a", 60.9)])),
      "has not the store's time"
    )
  })

  it("judges nothing where nobody says how the store's clock was set", () =>
    assert.strictEqual(told(heartbeatByReceiver, wrote(62, [instance, heardAt("a", 2)])), "holds"))
})
