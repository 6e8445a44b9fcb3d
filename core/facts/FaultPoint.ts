/**
 * Fault points: places in the code where a plan may delay, fail or crash. They cost one reference look-up in production
 * and do nothing there.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Decides what happens at a point; the production default lets every point pass. */
export type Visitor = (name: string) => Effect.Effect<void>

export const FaultPoints: Context.Reference<Visitor> = Context.Reference<Visitor>("stormglass/core/facts/FaultPoints", {
  defaultValue: () => () => Effect.void
})

/** `FaultPoint.here("lease/renew/sent")`: module, operation, moment. */
export const here = (name: string): Effect.Effect<void> => Effect.withFiber((fiber) => fiber.getRef(FaultPoints)(name))
