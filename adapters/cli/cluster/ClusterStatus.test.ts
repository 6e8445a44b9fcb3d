/** Who leads and what each owns, from what one node tells: leases of processes that have gone count for nobody. */
import { assert, describe, it } from "vitest"
import { leaseOf, processOf, told } from "./Cluster.fixture.ts"
import { type Told, leaderAmong, nameOfHolder, statusRows, statusTable } from "./ClusterStatus.ts"

const inWords = (processes: Parameters<typeof statusRows>[0], told: Told) =>
  statusRows(processes, told).map(({ buckets, epoch, name, role, state }) => [name, role, epoch, buckets, state])

describe("the status of a cluster", () => {
  // covers A30
  it("names the leader with its epoch, and counts the buckets of each", () => {
    const agent = processOf("a1", { kind: "agent", address: null, readiness: null })
    assert.deepEqual(inWords([processOf("n1"), processOf("n2"), processOf("n3"), agent], told), [
      ["n1", "leader", 7, 32, "ready"],
      ["n2", "follower", null, 64, "ready"],
      ["n3", "follower", null, 0, "ready"],
      ["a1", "agent", null, null, "runs"]
    ])
  })

  it("says which process is down, paused or cut off", () => {
    const processes = [
      processOf("n1", { pid: null, readiness: "no answer" }),
      processOf("n2", { isPaused: true, readiness: "no answer" }),
      processOf("n3", { isCut: true, readiness: "not ready" })
    ]
    assert.deepEqual(
      statusRows(processes, told).map(({ state }) => state),
      ["down", "paused", "not ready, cut off"]
    )
  })

  it("says how long ago each was heard last, by the database's clock", () => {
    const [member] = told.members!
    const silent = { ...told, members: [...told.members!.slice(1), { ...member!, seenAt: 91_000_000 }] }
    const agents = ["a1", "a2"].map((name) => processOf(name, { kind: "agent" }))
    const lags = (told: Told) =>
      statusRows([processOf("n1"), processOf("n2"), ...agents], told).map(({ lagMillis }) => lagMillis)
    assert.deepEqual(lags(silent), [1_000, 0, 7_500, null], "by a lease that it renewed since, too")
    assert.deepEqual(lags({ ...silent, leases: [] }), [9_000, 0, 7_500, null])
    assert.deepEqual(lags({ members: null, leases: null, agents: null }), [null, null, null, null])
  })

  it("knows no role when no node answers", () => {
    assert.deepEqual(inWords([processOf("n1")], { members: null, leases: null, agents: null }), [
      ["n1", "unknown", null, null, "ready"]
    ])
  })

  it.each<readonly [what: string, lease: ReturnType<typeof leaseOf>]>([
    ["has expired, by a moment that the database has written down since", leaseOf("leader", "n1/2", 93)],
    ["was released", { ...leaseOf("leader", "n1/2", 99), releasedAt: 99_500_000 }],
    ["is of an earlier process of that name", leaseOf("leader", "n1/1", 99)]
  ])("does not take for the leader whose lease %s", (_, lease) => {
    const [row] = statusRows([processOf("n1")], { ...told, leases: [lease] })
    assert.equal(row?.role, "follower")
  })

  it("is a table as wide as what is in it", () => {
    const table = statusTable(statusRows([processOf("n1"), processOf("n2", { pid: null, restarts: 12 })], told))
    assert.equal(
      table,
      [
        "member  role      epoch  buckets  lag    state  restarts  pid  address",
        "n1      leader    7      32       0.0 s  ready  0         10   http://127.0.0.1/n1",
        "n2      follower         64       0.0 s  down   12             http://127.0.0.1/n2"
      ].join("\n")
    )
  })
})

describe("the leader's lease", () => {
  it("is found whatever its holder is called", () => {
    const leader = leaderAmong({ ...told, leases: [leaseOf("leader", "n10/12", 99)] })
    assert.equal(nameOfHolder(leader?.holder ?? ""), "n10")
  })

  it("is nobody's where nothing is known", () => {
    assert.isUndefined(leaderAmong({ members: null, leases: null }))
  })
})
