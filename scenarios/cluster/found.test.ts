/** What the hunt has found in effect 4.1.0, each as a story of its own (docs/effect-cluster.md). */
import { readFileSync } from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { FaultPlan } from "../../sim/nemesis/FaultPlan.ts"
import { type Packet, pass, reset, type Verdict } from "../../sim/network/Network.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import { World } from "../../sim/run/World.ts"
import * as entity from "./entity.ts"
import { overlap } from "./singleton.ts"
import * as workflow from "./workflow.ts"

/** Under a plan of `plans`. */
const verdictOf = (scenario: Scenario, plan: string, seed = "1") => {
  const file = path.join(import.meta.dirname, "plans", `${plan}.json`)
  const faults = JSON.parse(readFileSync(file, "utf8")) as FaultPlan
  const request = { scenario: scenario.name, seed, strategy: "random", plan: faults } as const
  return runHere(scenario, request, { kinds: faultKinds }).verdict
}

describe("effect/cluster 4.1.0", () => {
  it("runs a singleton twice after a runner wakes that was suspended for longer than its locks last, beside a silent store", () => {
    assert.deepInclude(verdictOf(overlap, "woken-alone"), { _tag: "violated", invariant: "no-overlap" })
  })

  it("does again what a handler has done when the lock of its shard is not confirmed before its reply is saved, though no process has died", () => {
    assert.deepInclude(verdictOf(entity.once, "reply-unsaved"), { _tag: "violated", invariant: "effects-once" })
  })

  it("waits for ever for the answer of a store whose connection is dead: nothing bounds the reading of messages", () => {
    assert.deepInclude(verdictOf(entity.answeredAtAll, "answer-lost"), { _tag: "stalled" })
    assert.deepStrictEqual(verdictOf(entity.keptAlive, "answer-lost"), { _tag: "passed" }, "the remedy")
  })

  it("leaves messages for ten minutes whose reading was answered to nobody", () => {
    let lost = 0
    const { asked, waitedSeconds } = answers("200s", (packet) => (hasMessages(packet) && lost++ < 3 ? reset : pass))
    const longest = waitedSeconds.toSorted((one, other) => other - one)
    assert.lengthOf(longest, asked.size)
    assert.deepStrictEqual(
      longest.map((seconds) => seconds > 600),
      longest.map((_, nth) => nth < 3),
      "those whose reading was lost"
    )
    assert.isBelow(longest[0]!, 660)
  })

  it("never tells a client that its order is charged when the answer to the saving of the reply is lost", () => {
    let isSaved = false
    const { asked, waitedSeconds } = answers("20m", ({ message, source }, last) => {
      const { exit } = (message ?? {}) as { readonly exit?: { readonly value?: unknown } }
      if (source !== "store" || isSaved || last !== "Written" || exit === undefined || exit.value !== undefined)
        return pass
      isSaved = true
      return reset
    })
    assert.isTrue(isSaved)
    assert.lengthOf(waitedSeconds, asked.size - 1)
  })

  it("ends a workflow as failed, for good, when one call of its engine to the store fails: its program has not", () => {
    const failing = { scenario: workflow.answered, laterText: "30s" }
    const { asked, failedAtSeconds, waitedSeconds } = answers("200s", firstLost(isClockSaved), failing)
    assert.lengthOf(waitedSeconds, asked.size - 1)
    assert.isAbove(failedAtSeconds.at(-1)!, 228, "whoever asks is told so, long after the store is there again")
    assert.deepInclude(verdictOf(workflow.unfailed, "resets", "4"), { _tag: "violated", invariant: "nothing-failed" })
  })

  it("begins it again instead where a defect is not captured", () => {
    const curing = { scenario: workflow.uncaptured, laterText: "30s" }
    const { asked, failedAtSeconds, waitedSeconds } = answers("200s", firstLost(isClockSaved), curing)
    assert.deepStrictEqual([waitedSeconds.length, failedAtSeconds], [asked.size, []])
    assert.isBelow(Math.max(...waitedSeconds), 30)
  })

  it("suspends a workflow for good when the lock of its shard could not be refreshed as a step was done", () => {
    const suspending = { scenario: workflow.answered, laterText: "15m" }
    const lost = firstLost((call, last) => last === "Written" && isLockConfirmed(call))
    const { asked, failedAtSeconds, waitedSeconds } = answers("200s", lost, suspending)
    assert.deepStrictEqual([waitedSeconds.length, failedAtSeconds], [asked.size - 1, []])
    assert.deepInclude(verdictOf(workflow.answered, "store-restarts"), { _tag: "stalled" })
  })

  it("cancels for good what clients have asked a runner for that is stopped in order while its store is silent", () => {
    const told = verdictOf(entity.uninterrupted, "stopped-alone", "10")
    assert.deepInclude(told, { _tag: "violated", invariant: "nobody-interrupted" })
    assert.deepInclude(verdictOf(entity.answered, "stopped-alone", "10"), { _tag: "stalled" })
  })

  it("leaves a workflow waiting for a step whose reply is stored, when the answer to the saving is lost", () => {
    const { isLost, onPacket } = savingLost(() => true)
    const { asked, waitedSeconds } = answers("200s", onPacket, { scenario: workflow.answered, laterText: "15m" })
    assert.isTrue(isLost())
    assert.lengthOf(waitedSeconds, asked.size - 1)
  })

  it("never answers what could not be saved for a second, and does not do it again, until its runner ends", () => {
    let tries = 0
    const saving = ({ message }: Packet): Verdict =>
      (message as Partial<Called> | undefined)?.method === "messages.saveReply" && tries++ < 5 ? reset : pass
    const { asked, waitedSeconds, world } = answers("200s", saving, { laterText: "30m" })
    assert.lengthOf(waitedSeconds, asked.size - 1)
    for (const name of ["r1", "r2"]) {
      world.node(name).crash("killed")
      world.node(name).start()
    }
    world.run("5m")
    assert.lengthOf(waitedSeconds, asked.size)
  })

  it("never resumes a workflow whose suspension is stored, when the answer to the saving is lost", () => {
    const { isLost, onPacket } = savingLost((reply) => JSON.stringify(reply).includes('"Suspended"'))
    const { asked, waitedSeconds } = answers("200s", onPacket, { scenario: workflow.answered, laterText: "30m" })
    assert.isTrue(isLost())
    assert.lengthOf(waitedSeconds, asked.size - 1)
  })
})

/** Two runners and orders, twenty minutes; for so long packets of the store may be lost, both ways. */
const answers = (
  forText: string,
  onPacket: (packet: Packet, last: string) => Verdict,
  { laterText = "20m", scenario = entity.answered as Scenario } = {}
) => {
  const world = new World({ seed: "1" })
  scenario.build(world, { runners: 2 })
  const asked = new Map<string, number>()
  const waitedSeconds: Array<number> = []
  const failedAtSeconds: Array<number> = []
  let last = ""
  world.subscribe(({ atMicros, fact }) => {
    const { _tag, message } = fact as { readonly _tag: string; readonly message?: string }
    if (message === undefined) return
    last = _tag
    if (_tag === "Asked") asked.set(message, atMicros)
    if (_tag === "AskFailed") failedAtSeconds.push(atMicros / 1_000_000)
    if (_tag === "Answered") waitedSeconds.push((atMicros - asked.get(message)!) / 1_000_000)
  })
  const remove = world.network.addRule({
    fault: "a packet of the store or to it is lost, and the connection with it",
    onPacket: (packet) => onPacket(packet, last)
  })
  world.run(forText)
  remove()
  world.run(laterText)
  return { asked, waitedSeconds, failedAtSeconds, world }
}

/** The first call of the kind is lost, and all that was under way on its connection. */
const firstLost = (isMeant: (call: Called, last: string) => boolean) => {
  let isLost = false
  return ({ message }: Packet, last: string): Verdict => {
    const { argument, method } = (message ?? {}) as Partial<Called>
    if (isLost || method === undefined || !isMeant({ method, argument }, last)) return pass
    isLost = true
    return reset
  }
}

/** The answer to the saving of the first such reply is lost. */
const savingLost = (isMeant: (reply: unknown) => boolean) => {
  let state: "before" | "saving" | "lost" = "before"
  const onPacket = ({ message, source }: Packet): Verdict => {
    const { argument, exit, method } = (message ?? {}) as Partial<Called> & { readonly exit?: unknown }
    if (state === "before" && method === "messages.saveReply" && isMeant(argument)) state = "saving"
    if (state !== "saving" || source !== "store" || exit === undefined) return pass
    state = "lost"
    return reset
  }
  return { isLost: () => state === "lost", onPacket }
}

/** What the twin is asked. */
interface Called {
  readonly method: string
  readonly argument: unknown
}

const isClockSaved = ({ argument, method }: Called): boolean =>
  method === "messages.saveEnvelope" && JSON.stringify(argument).includes("DurableClock")

/** The lock of one shard is refreshed before a reply is saved. */
const isLockConfirmed = ({ argument, method }: Called): boolean =>
  method === "runners.refresh" && (argument as { readonly shards: ReadonlyArray<string> }).shards.length === 1

/** An answer of the twin to whoever reads messages, which it has marked as read. */
const hasMessages = ({ message }: Packet): boolean => {
  const { exit } = (message ?? {}) as { readonly exit?: { readonly value?: unknown } }
  return Array.isArray(exit?.value) && (exit.value[0] as { readonly envelope?: unknown })?.envelope !== undefined
}
