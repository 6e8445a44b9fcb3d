/**
 * Labels: what a fiber is at work on, in a word or two, for whoever asks why nothing moves. Its children inherit it.
 *
 * A label costs one entry of the context where it is given and nothing afterwards; a span would say two facts each time.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Empty where nobody gave one. */
export const Label: Context.Reference<string> = Context.Reference<string>("stormglass/core/facts/Label", {
  defaultValue: () => ""
})

/** `labelled("lease/renew", loop)`: module and operation, as in the names of fault points. */
export const labelled = <A, E, R>(label: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(work, Label, label)
