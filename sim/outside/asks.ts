/**
 * Clients as the outside has them: they ask for things by keys of their own, and ask again, by the same key, for what fails.
 */
import * as Effect from "effect/Effect"
import * as Mark from "../../core/facts/Mark.ts"
import type { World } from "../run/World.ts"
import { answeredTwice, asking } from "./OutsideResource.ts"

export interface AsksOptions {
  readonly count: number
  /** Over which they are spread; each is under way on its own. */
  readonly safetyMillis: number
  /** Once it was answered, it is asked for again by the same key: whether answers agree shows in two. */
  readonly isAskedTwice: boolean
}

/** `attempt` counts from 0 for each key. */
export const asks = <R>(
  world: World,
  { count, isAskedTwice, safetyMillis }: AsksOptions,
  ask: (key: string, nth: number, attempt: number) => Effect.Effect<unknown, unknown, R>
): Effect.Effect<void, never, R> =>
  Effect.forEach(
    Array.from({ length: count }, (_, nth) => nth),
    (nth) => {
      const key = `m${nth}`
      const dueMillis = ((nth + world.draw.child(key).fraction("due")) * safetyMillis) / count
      let attempts = 0
      const asked = asking(
        key,
        Effect.suspend(() => ask(key, nth, attempts++))
      )
      const twice = asked.pipe(Effect.andThen(asked), Effect.andThen(Mark.hit(answeredTwice)))
      return Effect.suspend(() => (world.operation(key) ? (isAskedTwice ? twice : asked) : Effect.void)).pipe(
        Effect.delay(dueMillis)
      )
    },
    { concurrency: "unbounded", discard: true }
  )
