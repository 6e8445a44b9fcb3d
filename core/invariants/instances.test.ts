import { assert, describe, it } from "@effect/vitest"
import { fleets } from "../fleet/Fleet.ts"
import { instances, type Instance } from "../instance/Instance.ts"
import { acknowledgedWrites } from "./acknowledgedWrites.ts"
import { deletionByUid } from "./deletionByUid.ts"
import { fleetCount } from "./fleetCount.ts"
import { instanceStates } from "./instanceStates.ts"
import { noPanic } from "./noPanic.ts"
import { outsideOwned } from "./outsideOwned.ts"
import { workBounded } from "./workBounded.ts"
import { change, commit, fleetRow, instanceRow, type Line, micros, told } from "./Story.fixture.ts"

const fence = [{ lease: "buckets/1", epoch: 1 }]
const wrote = (before: Instance | null, after: Instance | null, fences = fence, label = "instance/move"): Line => [
  1,
  "database",
  commit(label, [change(instances, (after ?? before)!.uid, before, after)], fences)
]
const pending = instanceRow("a")
const creating = instanceRow("a", { state: "CREATING", revision: 2, attempt: 1 })
const running = instanceRow("a", { state: "RUNNING", revision: 3, attempt: 1, lastHeartbeatAt: 1 })
const asked = { ...running, deletionRequestedAt: 2, liveName: null, revision: 4 }
const deleting: Instance = { ...asked, state: "DELETING", revision: 5 }
const life = [
  wrote(null, pending),
  wrote(pending, creating),
  wrote(creating, running),
  wrote(running, asked),
  wrote(asked, deleting),
  wrote(deleting, null)
]

const heard = (agent: string, agentIncarnation: number, seconds: number): Instance => ({
  ...running,
  agent,
  agentIncarnation,
  lastHeartbeatAt: micros(seconds)
})

describe("instance-states", () => {
  it("holds for a whole life", () => assert.strictEqual(told(instanceStates, ...life), "holds"))

  it("finds a move that is not in the table", () =>
    assert.include(told(instanceStates, wrote(pending, { ...running, revision: 2 })), "PENDING became RUNNING"))

  it("finds a plan that was made for an older revision", () =>
    assert.include(told(instanceStates, wrote(creating, { ...running, revision: 2 })), "without the next revision"))

  it("finds an older incarnation of an agent that was believed", () =>
    assert.include(
      told(instanceStates, wrote(heard("a1", 3, 0), heard("a1", 2, 10))),
      "older incarnation of its agent"
    ))

  it("finds another agent that was heard while the instance's own still was (14 s ago), whatever its incarnation", () =>
    assert.include(
      told(instanceStates, wrote(heard("a1", 1, 0), heard("a2", 6, 14))),
      "a2 was heard for it, 14000 ms after a1"
    ))

  it("holds when the instance has moved, to an agent of a lower incarnation, after the silence of its own (15 s)", () =>
    assert.strictEqual(told(instanceStates, wrote(heard("a1", 6, 0), heard("a2", 1, 15))), "holds"))

  it("lets only a new attempt forget the agent", () => {
    const forgotten = { ...heard("a1", 6, 0), agent: null, agentIncarnation: null }
    assert.include(told(instanceStates, wrote(heard("a1", 6, 0), forgotten)), "its agent was forgotten")
    const again = {
      ...forgotten,
      state: "CREATING",
      revision: running.revision + 1,
      attempt: running.attempt + 1
    } as const
    assert.strictEqual(
      told(instanceStates, wrote({ ...heard("a1", 6, 0), state: "ERROR", reason: "Vanished" }, again)),
      "holds"
    )
  })
})

describe("acknowledged-writes", () => {
  it("holds for a whole life", () => assert.strictEqual(told(acknowledgedWrites, ...life), "holds"))

  it("finds a row that leaves before its end is confirmed, and a deletion that is taken back", () => {
    assert.include(told(acknowledgedWrites, wrote(running, null)), "it left from RUNNING")
    assert.include(told(acknowledgedWrites, wrote(asked, running)), "its deletion was taken back")
  })

  it("finds a fleet that forgets what was wanted", () => {
    const wroteFleet = (before: object, after: object | null): Line => [
      1,
      "database",
      commit("fleets/put", [change(fleets, "p/web", fleetRow(before), after === null ? null : fleetRow(after))])
    ]
    assert.include(told(acknowledgedWrites, wroteFleet({}, null)), "nobody had asked for its end")
    const ending = { desired: 0, generation: 2, deletionRequestedAt: 5 }
    assert.strictEqual(told(acknowledgedWrites, wroteFleet({}, ending), wroteFleet(ending, null)), "holds")
    assert.include(told(acknowledgedWrites, wroteFleet(ending, { desired: 0, generation: 3 })), "was taken back")
    assert.include(told(acknowledgedWrites, wroteFleet({}, { ...ending, desired: 1 })), "and yet something is desired")
    assert.include(told(acknowledgedWrites, wroteFleet({ generation: 2 }, {})), "its generation fell")
    assert.include(told(acknowledgedWrites, wroteFleet({}, { desired: 2 })), "without a new generation")
    assert.strictEqual(told(acknowledgedWrites, wroteFleet({}, { desired: 2, generation: 2 })), "holds")
  })
})

describe("outside-owned", () => {
  const started = (uid: string, resource: string): Line => [
    1,
    "",
    { _tag: "ProviderStarted", uid, resource } as Line[2]
  ]
  const stopped = (uid: string, resource: string): Line => [
    1,
    "",
    { _tag: "ProviderStopped", uid, resource } as Line[2]
  ]

  it("holds for resources that their rows wanted, one at a time", () =>
    assert.strictEqual(
      told(outsideOwned, wrote(pending, creating), started("a", "r1"), stopped("a", "r1"), started("a", "r2")),
      "holds"
    ))

  it("finds a resource that was started before its row said so", () =>
    assert.include(told(outsideOwned, wrote(null, pending), started("a", "r1")), "has no row that wanted it"))

  it("finds a uid that is used again", () =>
    assert.include(told(outsideOwned, ...life, wrote(null, pending)), "uid a was used twice"))

  const lives = [wrote(null, pending), wrote(pending, creating), started("a", "r1")]
  const stops = (node: string, epoch = 1): Line => [
    2,
    node,
    { _tag: "EffectStarted", effect: "stop", uid: "a", lease: "buckets/1", epoch } as Line[2]
  ]
  const sees = (node: string, observation: string): Line => [
    3,
    node,
    { _tag: "ProviderObserved", uid: "a", observation } as Line[2]
  ]
  const leaves = wrote(deleting, null)
  const early = "left before its resource was confirmed gone"

  it("holds when the row leaves after its resource, asked and seen or not", () => {
    assert.strictEqual(told(outsideOwned, ...lives, stopped("a", "r1"), leaves), "holds")
    assert.strictEqual(
      told(outsideOwned, ...lives, stops("n1"), stopped("a", "r1"), sees("n1", "Absent"), leaves),
      "holds"
    )
  })

  it("holds when the provider said gone and it was not: the stop was forgotten, or the look was an old one", () =>
    assert.strictEqual(
      told(outsideOwned, ...lives, stops("n1"), sees("n1", "Stopping"), sees("n1", "Absent"), leaves),
      "holds"
    ))

  it("finds a row that leaves before its resource: nobody looked, or saw it, or looked only before asking for its end", () => {
    assert.include(told(outsideOwned, ...lives, leaves), early)
    assert.include(told(outsideOwned, ...lives, stops("n1"), leaves), early)
    assert.include(told(outsideOwned, ...lives, stops("n1"), sees("n1", "Stopping"), leaves), early)
    assert.include(told(outsideOwned, ...lives, sees("n1", "Absent"), stops("n1"), leaves), early)
    assert.include(told(outsideOwned, ...lives, stops("n1"), sees("n1", "Absent"), stops("n1"), leaves), early)
  })

  it("finds an owner that trusts what another was told, or it itself under an earlier epoch", () => {
    assert.include(told(outsideOwned, ...lives, stops("n1"), sees("n2", "Absent"), leaves), early)
    assert.include(
      told(
        outsideOwned,
        ...lives,
        stops("n1", 1),
        sees("n1", "Absent"),
        wrote(deleting, null, [{ lease: "buckets/1", epoch: 2 }])
      ),
      early
    )
  })
})

describe("fleet-count", () => {
  const wanted = (desired: number): Line => [
    1,
    "database",
    commit("fleets/put", [change(fleets, "p/web", null, fleetRow({ desired }))])
  ]
  const [zero, one] = [instanceRow("a", { ordinal: 0 }), instanceRow("b", { ordinal: 1 })]

  it("holds for a fleet that is scaled up and down exactly", () =>
    assert.strictEqual(
      told(
        fleetCount,
        wanted(2),
        wrote(null, zero),
        wrote(null, one),
        wanted(1),
        wrote(one, { ...one, deletionRequestedAt: 1 })
      ),
      "holds"
    ))

  it("finds two owners who create what one should (desired 1, created 2)", () =>
    assert.include(
      told(fleetCount, wanted(1), wrote(null, zero), wrote(null, one)),
      "more live instances than desired"
    ))

  it("finds a fleet that is said to be scaled while surplus stubs live on", () => {
    const scaled: Line = [
      2,
      "database",
      commit("fleet/scale", [
        change(fleets, "p/web", fleetRow({ desired: 1 }), fleetRow({ desired: 1, scaledGeneration: 1 }))
      ])
    ]
    assert.strictEqual(told(fleetCount, wanted(1), wrote(null, zero), scaled), "holds")
    assert.include(
      told(fleetCount, wanted(2), wrote(null, zero), wrote(null, one), wanted(1), scaled),
      "said to be scaled and is not"
    )
  })

  it("finds a fleet that leaves before its instances, and one that is made for a fleet that has left", () => {
    const leaves: Line = [3, "database", commit("fleet/scale", [change(fleets, "p/web", fleetRow(), null)])]
    const ending = { ...zero, deletionRequestedAt: 1 }
    assert.include(
      told(fleetCount, wanted(1), wrote(null, zero), wanted(0), wrote(zero, ending), leaves),
      "left before its instances"
    )
    assert.strictEqual(
      told(fleetCount, wanted(1), wrote(null, zero), wanted(0), wrote(zero, ending), wrote(ending, null), leaves),
      "holds"
    )
    assert.include(told(fleetCount, wanted(1), leaves, wrote(null, zero)), "which is not there")
  })

  it("finds an ordinal that lives twice", () =>
    assert.include(
      told(fleetCount, wanted(2), wrote(null, zero), wrote(null, { ...one, ordinal: 0 })),
      "ordinal twice"
    ))

  it("finds scaling below what is desired, and lets a client take away what it likes", () => {
    const gone = { ...zero, deletionRequestedAt: 1 }
    assert.include(told(fleetCount, wanted(1), wrote(null, zero), wrote(zero, gone)), "scaled below what is desired")
    assert.strictEqual(told(fleetCount, wanted(1), wrote(null, zero), wrote(zero, gone, [])), "holds")
  })
})

describe("deletion-by-uid", () => {
  const asks = (uid: string): Line => [1, "n1", { _tag: "DeletionAsked", uid } as Line[2]]
  const gone = { ...running, deletionRequestedAt: 1 }

  it("holds when the one goes that was asked for", () =>
    assert.strictEqual(told(deletionByUid, asks("a"), wrote(running, gone, [], "instances/delete")), "holds"))

  it("finds a namesake that goes instead", () =>
    assert.include(
      told(deletionByUid, asks("z"), wrote(running, gone, [], "instances/delete")),
      "the end of instance a was asked for by nobody"
    ))

  const effect = (tag: string, uid: string, what = "stop"): Line => [
    1,
    "n1",
    { _tag: tag, effect: what, uid, lease: "buckets/1", epoch: 1 } as Line[2]
  ]
  const calls = (uid: string, node = "n1", call = "stop"): Line => [
    1,
    node,
    { _tag: "ProviderAsked", call, uid } as Line[2]
  ]

  it("holds when the one is stopped outside that its owner works on", () =>
    assert.strictEqual(
      told(
        deletionByUid,
        effect("EffectStarted", "a", "start"),
        calls("a", "n1", "start"),
        effect("EffectEnded", "a", "start"),
        effect("EffectStarted", "a"),
        calls("a"),
        effect("EffectEnded", "a")
      ),
      "holds"
    ))

  it("finds a namesake that is stopped along with it, by another, too late, or in place of a start", () => {
    const strayed = (uid: string) => `stopped the resource of ${uid}, which it did not work on`
    assert.include(told(deletionByUid, effect("EffectStarted", "a"), calls("a"), calls("b")), strayed("b"))
    assert.include(told(deletionByUid, effect("EffectStarted", "a"), calls("a", "n2")), strayed("a"))
    assert.include(
      told(deletionByUid, effect("EffectStarted", "a"), effect("EffectEnded", "a"), calls("a")),
      strayed("a")
    )
    assert.include(told(deletionByUid, effect("EffectStarted", "a", "start"), calls("a")), strayed("a"))
  })
})

describe("work-bounded and no-panic", () => {
  const looks = (count: number, everySeconds: number): ReadonlyArray<Line> =>
    Array.from({ length: count }, (_, index) => [
      index * everySeconds,
      "n1",
      { _tag: "Reconciled", key: "instance/a", outcome: "Again", detail: "" } as Line[2]
    ])

  it("lets a key be looked at every second for ever, and finds a hot loop", () => {
    assert.strictEqual(told(workBounded, ...looks(1_000, 1)), "holds")
    assert.include(told(workBounded, ...looks(1_000, 0.01)), "look at instance/a")
  })

  const panics = (...errors: ReadonlyArray<string>): Line => [
    1,
    "n1",
    { _tag: "ReconcilePanicked", key: "instance/a", errors } as Line[2]
  ]
  const dies = (...errors: ReadonlyArray<string>): Line => [
    1,
    "n1",
    { _tag: "EssentialDied", label: "leader", errors } as Line[2]
  ]
  const exits = (outcome: string, ...errors: ReadonlyArray<string>): Line => [
    1,
    "n1",
    { _tag: "NodeExited", outcome, errors } as Line[2]
  ]

  const fails = (...errors: ReadonlyArray<string>): Line => [
    1,
    "n1",
    { _tag: "RequestPanicked", method: "PUT", path: "/v1/projects/p/fleets/web", errors } as Line[2]
  ]

  it("finds a request that was answered with a defect, thrown or made on purpose, and lets an injected one pass", () => {
    assert.strictEqual(told(noPanic, fails("TypeError: bug")), "PUT /v1/projects/p/fleets/web panicked")
    assert.strictEqual(told(noPanic, fails()), "PUT /v1/projects/p/fleets/web panicked")
    assert.strictEqual(told(noPanic, fails("InjectedFailure: here")), "holds")
  })

  it("finds a panic, a loop that takes its node along, and a program that dies, whoever starts it again", () => {
    assert.strictEqual(told(noPanic, panics("Error: boom")), "the reconcile of instance/a panicked")
    assert.strictEqual(told(noPanic, dies("TypeError: no such field")), "n1 died with leader")
    assert.strictEqual(told(noPanic, exits("failure", "TypeError: no such field")), "the program of n1 died")
  })

  it("excuses what a plan injected, and nothing that happened besides (an injected failure and a TypeError)", () => {
    const injected = "InjectedFailure: injected failure at instance/move"
    assert.strictEqual(told(noPanic, panics(injected), dies(injected), exits("failure", injected, injected)), "holds")
    for (const fell of [panics, dies, (...errors: ReadonlyArray<string>) => exits("failure", ...errors)]) {
      assert.notStrictEqual(told(noPanic, fell(injected, "TypeError: no such field")), "holds")
      assert.notStrictEqual(told(noPanic, fell()), "holds")
    }
  })

  it("lets programs end and be stopped", () =>
    assert.strictEqual(told(noPanic, exits("success"), exits("interrupted")), "holds"))
})
