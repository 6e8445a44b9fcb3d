/**
 * A fleet as its clients see it: a value whose generation counts its changes. Each wish happens once, at one moment between its first
 * sending and its first answer, however often it was sent; each read shows all that had happened by some moment since it was sent.
 */
import type { FleetView } from "../core/api/Views.ts"
import type { Envelope } from "../core/facts/Envelope.ts"
import { fleetIdOf } from "../core/fleet/Fleet.ts"
import * as VersionedRegister from "../core/history/models/VersionedRegister.ts"
import { type Call, Recorder } from "../core/history/Recorder.ts"
import type { Check } from "../core/invariants/Invariant.ts"
import { linearizable, operationsMax, type Taking } from "../core/invariants/linearizable.ts"
import {
  type ClientAnswered,
  type ClientAsked,
  type ClientRead,
  type ClientRefused,
  project,
  sendingOf
} from "./Clients.ts"

type Input = VersionedRegister.Input
type Output = VersionedRegister.Output

export const fleetsLinearizable: Check = linearizable({
  name: "fleets-linearizable",
  states: "What clients ask of a fleet and read of it happened in some order, each wish once.",
  object: "fleet",
  model: VersionedRegister.versionedRegister,
  start: take
})

function take(): Taking<Input, Output> {
  const recorder = new Recorder<Input, Output>(operationsMax)
  /** By key and body: the same wish, sent again, is the same operation. */
  const wishes = new Map<string, Call<Input, Output>>()
  /** By sending. */
  const sent = new Map<string, Call<Input, Output>>()

  const ask = (envelope: Envelope, { body, key, nth }: ClientAsked) => {
    const [what, name, detail] = JSON.parse(body) as [string, string, unknown]
    const { atMicros, id, node } = envelope
    if (what === "get" && name === "fleet") {
      sent.set(sendingOf(envelope, nth), recorder.call(detail as string, node, { _tag: "Read" }, id, atMicros))
    } else if (what === "put") {
      // Fleets of which nobody says whether they are paused are not.
      const { desired, paused = false } = detail as { readonly desired: number; readonly paused?: boolean }
      const value = valueOf(desired, paused)
      const wish = `${key}\n${body}`
      const call =
        wishes.get(wish) ?? recorder.call(fleetIdOf(project, name), node, { _tag: "Write", value }, id, atMicros)
      wishes.set(wish, call)
      sent.set(sendingOf(envelope, nth), call)
    }
  }

  return {
    histories: () => recorder.histories(),
    step: (envelope) => {
      const { atMicros, fact, id } = envelope
      switch (fact._tag) {
        case "ClientAsked":
          return ask(envelope, fact as ClientAsked)
        case "ClientRead":
        case "ClientAnswered": {
          const { answer, nth } = fact as ClientAnswered | ClientRead
          sent.get(sendingOf(envelope, nth))?.answer(outputOf(answer), id, atMicros)
          sent.delete(sendingOf(envelope, nth))
          return
        }
        case "ClientRefused": {
          const call = sent.get(sendingOf(envelope, (fact as ClientRefused).nth))
          if (call !== undefined) call.isDropped = call.output === undefined
        }
      }
    }
  }
}

/** What is wished, as one number: below zero for a fleet that is paused. */
const valueOf = (desired: number, isPaused: boolean): number => (isPaused ? -1 - desired : desired)

/** Of a refusal that there is no such fleet. */
function outputOf(answer: string): Output {
  const { desired, generation, pausedAt = null } = JSON.parse(answer) as Partial<FleetView>
  return generation === undefined || desired === undefined
    ? { version: 0, value: null }
    : { version: generation, value: valueOf(desired, pausedAt !== null) }
}
