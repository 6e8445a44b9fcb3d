import { assert, describe, it } from "@effect/vitest"
import { callbackLoop } from "../../../sim/bench/callbackLoop.ts"
import { datagramMesh } from "../../../sim/bench/datagramMesh.ts"
import { socketMesh } from "../../../sim/bench/socketMesh.ts"
import { expectedDeliveries, type Workload } from "../../../sim/bench/Workload.ts"
import { testClockMesh } from "./testClockMesh.ts"

const mesh: Workload = { hosts: 4, seconds: 3, isStorm: false }
const storm: Workload = { hosts: 4, seconds: 9, isStorm: true }

describe("the benchmarked meshes", () => {
  it("deliver the same messages, whoever carries them (4 hosts, 3 s)", async () => {
    const expected = expectedDeliveries(mesh)
    assert.strictEqual(callbackLoop(mesh), expected)
    assert.strictEqual(datagramMesh(mesh, { hasDigest: true }), expected)
    assert.strictEqual(datagramMesh(mesh, { hasDigest: false }), expected)
    assert.strictEqual(socketMesh(mesh, { hasDigest: true }), expected)
    assert.strictEqual(await testClockMesh(mesh), expected)
  })

  it("lose the same messages to the same cuts (4 hosts, 9 s, one cut)", () => {
    const delivered = callbackLoop(storm)
    assert.isBelow(delivered, expectedDeliveries(storm))
    assert.strictEqual(datagramMesh(storm, { hasDigest: true }), delivered)
  })
})
