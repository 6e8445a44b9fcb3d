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

  it("does again what a handler has done when its reply is not saved within a second, though no process has died", () => {
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
    assert.lengthOf(longest, asked)
    assert.deepStrictEqual(
      longest.map((seconds) => seconds > 600),
      longest.map((_, nth) => nth < 3),
      "those whose reading was lost"
    )
    assert.isBelow(longest[0]!, 660)
  })

  it("never tells a client that its order is charged when the answer to the saving of the reply is lost", () => {
    let isSaved = false
    const { asked, waitedSeconds } = answers("20m", ({ message }, last) => {
      const { exit } = (message ?? {}) as { readonly exit?: { readonly value?: unknown } }
      if (isSaved || last !== "Written" || exit === undefined || exit.value !== undefined) return pass
      isSaved = true
      return reset
    })
    assert.isTrue(isSaved)
    assert.lengthOf(waitedSeconds, asked - 1)
  })
})

/** Two runners, forty orders, twenty minutes; for so long answers of the store may be lost. */
const answers = (forText: string, onAnswer: (packet: Packet, last: string) => Verdict) => {
  const world = new World({ seed: "1" })
  entity.answered.build(world, { runners: 2 })
  const asked = new Map<string, number>()
  const waitedSeconds: Array<number> = []
  let last = ""
  world.subscribe(({ atMicros, fact }) => {
    const { _tag, message } = fact as { readonly _tag: string; readonly message?: string }
    if (message === undefined) return
    last = _tag
    if (_tag === "Asked") asked.set(message, atMicros)
    if (_tag === "Answered") waitedSeconds.push((atMicros - asked.get(message)!) / 1_000_000)
  })
  const remove = world.network.addRule({
    fault: "an answer of the store is lost, and the connection with it",
    onPacket: (packet) => (packet.source === "store" ? onAnswer(packet, last) : pass)
  })
  world.run(forText)
  remove()
  world.run("20m")
  return { asked: asked.size, waitedSeconds }
}

/** An answer of the twin to whoever reads messages, which it has marked as read. */
const hasMessages = ({ message }: Packet): boolean => {
  const { exit } = (message ?? {}) as { readonly exit?: { readonly value?: unknown } }
  return Array.isArray(exit?.value) && (exit.value[0] as { readonly envelope?: unknown })?.envelope !== undefined
}
