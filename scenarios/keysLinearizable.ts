/**
 * An idempotency key as its clients see it: the first request that takes it is done, once, and has one answer for ever; another request is
 * refused from then on, and not before. Each sending is an operation; one that was not answered may have taken the key at any time since.
 */
import type { FleetView, InstanceView } from "../core/api/Views.ts"
import * as Once from "../core/history/models/Once.ts"
import { type Call, type Recorded, Recorder } from "../core/history/Recorder.ts"
import type { Check } from "../core/invariants/Invariant.ts"
import { linearizable, operationsMax, type Taking } from "../core/invariants/linearizable.ts"
import { type ClientAnswered, type ClientAsked, type ClientRefused, sendingOf } from "./Clients.ts"

type Input = Once.Input
type Output = Once.Output

export const keysLinearizable: Check = linearizable({
  name: "keys-linearizable",
  states: "Of the requests with one idempotency key one is done, once, with one answer; the others are refused.",
  object: "key",
  model: Once.once,
  start: take
})

function take(): Taking<Input, Output> {
  const recorder = new Recorder<Input, Output>(operationsMax)
  /** By sending. */
  const sent = new Map<string, Call<Input, Output>>()
  /** By key: answers in the order in which they first came. In words they would look alike. */
  const answers = new Map<string, Array<string>>()

  const numberOf = (key: string, answer: string): number => {
    const known = answers.get(key) ?? []
    if (!known.includes(answer)) known.push(answer)
    answers.set(key, known)
    return known.indexOf(answer) + 1
  }

  return {
    histories: () =>
      new Map(Array.from(recorder.histories(), ([key, recorded]) => [key, withoutRepetitions(recorded)])),
    step: (envelope) => {
      const { atMicros, fact, id, node } = envelope
      switch (fact._tag) {
        case "ClientAsked": {
          const { body, key, nth } = fact as ClientAsked
          if (key !== "")
            sent.set(sendingOf(envelope, nth), recorder.call(key, node, { request: wordsOf(body) }, id, atMicros))
          return
        }
        case "ClientAnswered": {
          const { answer, key, nth } = fact as ClientAnswered
          const told = `answer ${numberOf(key, answer)}: ${subjectOf(answer)}`
          sent.get(sendingOf(envelope, nth))?.answer({ answer: told }, id, atMicros)
          sent.delete(sendingOf(envelope, nth))
          return
        }
        case "ClientRefused": {
          const { nth } = fact as ClientRefused
          sent.get(sendingOf(envelope, nth))?.answer("refused", id, atMicros)
          sent.delete(sendingOf(envelope, nth))
        }
      }
    }
  }
}

/** "put web 3", "create box-1", "delete box-1-0f": other requests have other words. */
function wordsOf(body: string): string {
  const [what, ...details] = JSON.parse(body) as ReadonlyArray<string | { name?: string; desired?: number }>
  const words = details.flatMap((each) => (typeof each === "string" ? [each] : [each.name, each.desired]))
  return [what, ...words.filter((word) => word !== undefined)].join(" ")
}

function subjectOf(answer: string): string {
  const { _tag, generation, id, uid } = JSON.parse(answer) as Partial<FleetView & InstanceView> & { _tag?: string }
  return _tag ?? uid ?? `generation ${generation} of ${id}`
}

/** Of the sendings of one request that were not answered, the first: the others may have done no more than that. */
function withoutRepetitions({ isCut, operations }: Recorded<Input, Output>): Recorded<Input, Output> {
  const open = new Set<unknown>()
  return {
    isCut,
    operations: operations.filter(({ input, output }) => {
      if (output !== undefined) return true
      const isFirst = !open.has(input.request)
      open.add(input.request)
      return isFirst
    })
  }
}
