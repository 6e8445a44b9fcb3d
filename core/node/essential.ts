/**
 * What a node cannot be without: if it ends by a defect, so does the node. A loop that has died in silence is worse than a node
 * that is gone, because nobody takes over from it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { NodeExit } from "../ports/NodeExit.ts"

export const essential = <A, E, R>(what: string, loop: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | NodeExit> =>
  Effect.onExit(loop, (exit) =>
    exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)
      ? Effect.flatMap(NodeExit, (node) => node.exit(`${what} died: ${Cause.pretty(exit.cause)}`))
      : Effect.void
  )
