/**
 * Which two choices an exhaustive search makes in one run: an outage that lasts and something that comes late (a message, a fiber, a
 * task), or two that come late; the second within a while of the first. The second is taken from the run with the first, because what
 * happens after the first happens there only.
 */
import { toMicros } from "../nemesis/FaultPlan.ts"
import { type Choice, keyOf } from "./Choice.ts"
import type { Scale } from "./Scale.ts"

const lateKinds: ReadonlyArray<string> = [
  "network/latency-tail",
  "process/delay-at-point",
  "schedule/another-task",
  "schedule/preempt",
  "schedule/stall"
]

/** Something comes later than it would. */
export const isLate = ({ kind }: Choice): boolean => lateKinds.includes(kind)

/** A node, a way or a clock is out of order for so long that others give it up, or for good. */
export const isLasting = (choice: Choice, { lastingMillis }: Scale): boolean => {
  if (!("fault" in choice) || !("at" in choice.fault.when)) return false
  const { for: lasts } = choice.fault
  return lasts === undefined || toMicros(lasts) === lastingMillis * 1_000
}

/** Those that a pair may begin with. */
export const firstsOf = (singles: ReadonlyArray<Choice>, scale: Scale): ReadonlyArray<Choice> =>
  singles.filter((choice) => isLate(choice) || isLasting(choice, scale))

/** Those of the run with `first` that may follow it; `known` are the pairs that there were, and grows. */
export const secondsOf = (
  first: Choice,
  choices: ReadonlyArray<Choice>,
  scale: Scale,
  options: { readonly withinMicros: number; readonly known: Set<string> }
): ReadonlyArray<Choice> =>
  choices.filter((second) => {
    if (second.name === first.name || second.atMicros < first.atMicros) return false
    if (second.atMicros >= first.atMicros + options.withinMicros) return false
    if (!isLate(second) && !(isLate(first) && isLasting(second, scale))) return false
    const key = keyOf([first, second])
    if (options.known.has(key)) return false
    options.known.add(key)
    return true
  })
