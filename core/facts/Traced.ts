/**
 * Work that is a trace of its own for whoever follows the control plane from outside: a look at one key, a round of the leader. The
 * trace's id is the id of that look: every log line and every statement under it has it.
 *
 * Absent in the simulator, where it would be two more facts each time; `Label.ts` says there what a fiber is at work on.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export type Tracing = <A, E, R>(
  name: string,
  attributes: Readonly<Record<string, string>>,
  work: Effect.Effect<A, E, R>
) => Effect.Effect<A, E, R>

/** Nothing is traced where nobody gave one. */
export const Traced: Context.Reference<Tracing> = Context.Reference<Tracing>("stormglass/core/facts/Traced", {
  defaultValue: () => (_name, _attributes, work) => work
})
