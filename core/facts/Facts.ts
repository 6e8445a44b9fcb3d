/**
 * Facts: what the control plane says about itself while it runs. Silent by default; the simulator and the audit of a
 * live deployment listen.
 *
 * A fact is immutable JSON. The listener adds time, node, incarnation and cause; the speaker adds what only it knows.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Plain data: the `_tag` names the kind, the rest is JSON. Each module of core declares the facts it emits. */
export interface DomainFact {
  readonly _tag: string
}

export type Listener = (fact: DomainFact) => void

export const Facts: Context.Reference<Listener> = Context.Reference<Listener>("stormglass/core/facts/Facts", {
  defaultValue: () => silent
})

/** Tells the listener, at once and synchronously; never fails, never waits. */
export const emit = <F extends DomainFact>(fact: F): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Facts)(fact)
    return Effect.void
  })

function silent(): void {
  return
}
