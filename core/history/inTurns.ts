/** A search taken in turns, so that whoever started it may interrupt it, and others get to work meanwhile. */
import * as Effect from "effect/Effect"

export interface Advancing<Verdict> {
  /** `undefined` where so many steps were not enough. */
  readonly advance: (steps: number) => Verdict | undefined
}

/** Some milliseconds. */
const turnStepsDefault = 20_000

/** `betweenTurns` may end it with a verdict of its own. */
export const inTurns = <Verdict>(
  search: Advancing<Verdict>,
  options: { readonly turnSteps?: number; readonly betweenTurns?: () => Verdict | undefined } = {}
): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    for (;;) {
      const verdict = search.advance(options.turnSteps ?? turnStepsDefault) ?? options.betweenTurns?.()
      if (verdict !== undefined) return verdict
      yield* Effect.yieldNow
    }
  })
