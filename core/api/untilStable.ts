/**
 * `wait=stable`: an answer about a fleet that is held back until the fleet is as it is wanted, or the time is over. Told of changes by the
 * follower of the node, as every watcher is; it asks the store only when the fleet was spoken of.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { unstable } from "../fleet/unstable.ts"
import { waitSecondsDefault, waitSecondsMax } from "../Limits.ts"
import type { FeedError } from "../ports/Feed.ts"
import type { Watch } from "../watch/Watch.ts"
import type { FleetView } from "./Views.ts"

/** Of a request: whether to wait, and for how long. */
export const waiting = {
  wait: Schema.optional(Schema.Literal("stable")),
  waitSeconds: Schema.optional(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: waitSecondsMax }))
  )
}

/** The last that was read, stable or not; nothing where nothing could be read any more. Ends early when the node stops. */
export const untilStable = <E, R>(
  watch: Watch["Service"],
  { project, id }: Pick<FleetView, "project" | "id">,
  options: { readonly read: Effect.Effect<FleetView | undefined, E, R>; readonly waitSeconds: number | undefined }
): Effect.Effect<FleetView | undefined, E | FeedError, R> =>
  Effect.gen(function* () {
    const { read, waitSeconds = waitSecondsDefault } = options
    let last = yield* read
    const isOver = () => last === undefined || unstable(last) === undefined
    if (isOver()) return last
    const name = JSON.stringify(id)
    // It begins with a listing, after which nothing can be missed.
    const told = yield* watch.open({ project, kinds: ["fleets"] }, undefined)
    yield* Stream.scoped(Stream.fromPull(told)).pipe(
      Stream.filter((text) => text.includes(name)),
      Stream.mapEffect(() => Effect.map(read, (found) => (last = found))),
      Stream.takeUntil(isOver),
      Stream.runDrain,
      Effect.timeoutOption(`${waitSeconds} seconds`),
      Effect.map(Option.isSome)
    )
    return last
  })
