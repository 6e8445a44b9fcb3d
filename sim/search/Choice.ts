/**
 * A choice: one thing that goes another way than in the run it was taken from, by name. A fault at a moment or at an occurrence, or
 * one departure from the schedule. A request with choices says all that they are, so that it is replayed, made small and saved like
 * any other.
 */
import type { Fault } from "../nemesis/FaultPlan.ts"
import type { RunRequest } from "../run/Verdict.ts"

export type Choice = {
  /** "process/pause n1 at 1.003501s for 3.6s": unlike that of any other choice. */
  readonly name: string
  /** Where: two choices at one place contradict each other, or are one. */
  readonly place: string
  /** The kind of fault, or "schedule/…". */
  readonly kind: string
  /** When it acts, at the earliest. */
  readonly atMicros: number
  /** When it is over: what was out of order is in order, what was late has come. Undefined for what stays as it is. */
  readonly endMicros: number | undefined
} & ({ readonly fault: Fault } | { readonly deviation: string })

/** The request in which these go another way, too. */
export const requestWith = (request: RunRequest, choices: ReadonlyArray<Choice>): RunRequest => {
  const faults = choices.flatMap((choice) => ("fault" in choice ? [choice.fault] : []))
  const deviations = choices.flatMap((choice) => ("deviation" in choice ? [choice.deviation] : []))
  const { plan = { version: 1, faults: [] } } = request
  return {
    ...request,
    plan: { ...plan, faults: [...plan.faults, ...faults] },
    ...(deviations.length === 0 ? {} : { deviations: [...(request.deviations ?? []), ...deviations] })
  }
}

/** The same for the same choices in whatever order. */
export const keyOf = (choices: ReadonlyArray<Choice>): string =>
  choices
    .map(({ name }) => name)
    .toSorted()
    .join(" + ")
