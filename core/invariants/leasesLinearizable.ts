/**
 * I1 and I2 as the nodes see them: what they asked of a lease (to have it, keep it, give it back, write under its fence) and were told is
 * what a lock with expiry and rising tokens may say, in some order.
 *
 * - A commit is a use of its fences at its one moment; the nodes' asking takes time.
 * - Times are those of the store's clock, which alone decides when a row has expired. Once that clock was set in the middle, nothing is said about
 *   times any more, only about the order.
 */
import type { ClockSet } from "../facts/ClockSet.ts"
import type { Committed, Envelope } from "../facts/Envelope.ts"
import { lock, type Input, type Output } from "../history/models/Lock.ts"
import type { Times } from "../history/Model.ts"
import { type Call, Recorder } from "../history/Recorder.ts"
import type { LeasesAsked, LeasesTold } from "../lease/LeaseFacts.ts"
import { type Check } from "./Invariant.ts"
import { linearizable, operationsMax, type Taking } from "./linearizable.ts"

/** What a reading of the clock may be off by, as the store rounds it down and readings here are computed. */
const roundingMicros = 2

const microsPerSecond = 1_000_000

export const leasesLinearizable: Check = linearizable({
  name: "leases-linearizable",
  states: "What nodes ask of a lease and are told is what a lock with expiry and fencing may say (I1, I2).",
  object: "lease",
  model: lock,
  start: take
})

interface Asked {
  readonly what: LeasesAsked["what"]
  readonly calls: ReadonlyArray<{ readonly lease: string; readonly epoch: number; readonly call: Call<Input, Output> }>
}

/**
 * What was told of a lease last. A holder that does nothing but renew and write says no more by it than its last renewal says:
 * what was called before and is open still may come after that as well as before.
 */
interface Last {
  /** The renewal that was answered, with nothing told between its call and its answer, and nothing but uses after it. */
  renewal: Call<Input, Output> | undefined
  /** The one that was called last, if nothing was told since. */
  renewing: Call<Input, Output> | undefined
  /** The epoch of the use, if nothing else was told since. */
  used: number | undefined
}

interface Setting extends ClockSet {
  readonly atMicros: number
}

function take(): Taking<Input, Output> {
  const recorder = new Recorder<Input, Output>(operationsMax)
  /** By node, incarnation and number. */
  const open = new Map<string, Asked>()
  /** How the clock of each node was set. */
  const settings = new Map<string, Array<Setting>>()
  const lasts = new Map<string, Last>()
  let store: string | undefined
  let firstMicros = Infinity

  const lastOf = (lease: string): Last => {
    let last = lasts.get(lease)
    if (last === undefined) lasts.set(lease, (last = { renewal: undefined, renewing: undefined, used: undefined }))
    return last
  }

  const ask = (envelope: Envelope, { ask, durationMicros, holder, leases, what }: LeasesAsked) => {
    const { atMicros, id } = envelope
    firstMicros = Math.min(firstMicros, atMicros)
    const calls = leases.map(({ epoch, lease }) => {
      const call = recorder.call(
        lease,
        holder,
        inputOf(what, holder, epoch, durationMicros / microsPerSecond),
        id,
        atMicros
      )
      const last = lastOf(lease)
      last.renewing = what === "renew" ? call : undefined
      if (what !== "renew" || last.renewal?.input.holder !== holder) last.renewal = undefined
      last.used = undefined
      return { lease, epoch, call }
    })
    open.set(`${envelope.node}/${envelope.incarnation}/${ask}`, { what, calls })
  }

  const tell = (envelope: Envelope, { ask, granted }: LeasesTold) => {
    const id = `${envelope.node}/${envelope.incarnation}/${ask}`
    const asked = open.get(id)
    if (asked === undefined) return
    open.delete(id)
    const epochs = Array.isArray(granted) ? new Map(granted.map(({ epoch, lease }) => [lease, epoch])) : undefined
    for (const { call, epoch, lease } of asked.calls) {
      const last = lastOf(lease)
      const { renewal, renewing } = last
      last.renewal = last.renewing = last.used = undefined
      if (granted === null) {
        call.isDropped = true
        continue
      }
      const given = epochs === undefined ? epoch : epochs.get(lease)
      call.answer(asked.what === "acquire" ? (given ?? false) : given !== undefined, envelope.id, envelope.atMicros)
      if (renewing !== call || given === undefined) continue
      last.renewal = call
      if (renewal !== undefined && tokenOf(renewal) === epoch) renewal.isDropped = true
    }
  }

  const use = ({ atMicros, id }: Envelope, { fences, label }: Committed) => {
    for (const { epoch, lease } of fences) {
      const last = lastOf(lease)
      if (last.used === epoch || (last.renewal !== undefined && tokenOf(last.renewal) === epoch)) continue
      last.used = epoch
      last.renewal = last.renewing = undefined
      recorder.call(lease, label, { _tag: "Use", token: epoch }, id, atMicros).answer(true, id, atMicros)
    }
  }

  /** In seconds of the store's clock since it was first set, where it only went on. */
  const timesOf = () => {
    const ofStore = store === undefined ? undefined : settings.get(store)
    if (ofStore === undefined || ofStore.some((setting, nth) => isJump(ofStore[nth - 1], setting, firstMicros)))
      return undefined
    const { wallMicros } = ofStore[0]!
    return (calledAt: number, returnedAt: number): Times => ({
      called: (readingOf(ofStore, calledAt) - wallMicros - roundingMicros) / microsPerSecond,
      returned: (readingOf(ofStore, returnedAt) - wallMicros + roundingMicros) / microsPerSecond
    })
  }

  return {
    histories: () => recorder.histories(timesOf()),
    step: (envelope) => {
      switch (envelope.fact._tag) {
        case "LeasesAsked":
          return ask(envelope, envelope.fact as LeasesAsked)
        case "LeasesTold":
          return tell(envelope, envelope.fact as LeasesTold)
        case "Committed":
          store = envelope.node
          return use(envelope, envelope.fact as Committed)
        case "ClockSet": {
          const { atMicros, node } = envelope
          const ofNode = settings.get(node) ?? []
          ofNode.push({ ...(envelope.fact as ClockSet), atMicros })
          settings.set(node, ofNode)
        }
      }
    }
  }
}

function inputOf(what: LeasesAsked["what"], holder: string, token: number, lifetime: number): Input {
  switch (what) {
    case "acquire":
      return { _tag: "Acquire", holder, lifetime }
    case "renew":
      return { _tag: "Renew", holder, token, lifetime }
    case "release":
      return { _tag: "Release", holder, token }
  }
}

function tokenOf({ input }: Call<Input, Output>): number | undefined {
  return input._tag === "Acquire" ? undefined : input.token
}

/** Whether the clock went on from another reading than it had come to, when there were leases already. */
function isJump(before: Setting | undefined, after: Setting, firstMicros: number): boolean {
  if (before === undefined || after.atMicros <= firstMicros) return false
  return Math.abs(readingOf([before], after.atMicros) - after.wallMicros) > roundingMicros
}

function readingOf(settings: ReadonlyArray<Setting>, atMicros: number): number {
  const {
    atMicros: sinceMicros,
    rate,
    wallMicros
  } = settings.findLast((setting) => setting.atMicros <= atMicros) ?? settings[0]!
  return wallMicros + rate * (atMicros - sinceMicros)
}
