/**
 * Marks: rare situations that a sweep must have met, and assertions about them (Antithesis' words). Declared statically,
 * so that one that no seed reached is reported; silent in production.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export type Kind = "sometimes" | "always" | "reachable" | "unreachable"

export interface Mark {
  readonly kind: Kind
  readonly name: string
}

export type Recorder = (mark: Mark, holds: boolean) => void

export const Marks: Context.Reference<Recorder> = Context.Reference<Recorder>("stormglass/core/facts/Marks", {
  defaultValue: () => ignore
})

/** Declares a mark. Call it at module level, next to the code that hits it. */
export const sometimes = (name: string): Mark => ({ kind: "sometimes", name })
/** @public */
export const always = (name: string): Mark => ({ kind: "always", name })
export const reachable = (name: string): Mark => ({ kind: "reachable", name })
/** @public */
export const unreachable = (name: string): Mark => ({ kind: "unreachable", name })

/** Records that the code came by, and whether the condition held. */
export const hit = (mark: Mark, holds = true): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Marks)(mark, holds)
    return Effect.void
  })

function ignore(): void {
  return
}
