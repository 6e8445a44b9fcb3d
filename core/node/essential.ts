/**
 * What a node cannot be without: if it ends by a defect, so does the node. A loop that has died in silence is worse than a node
 * that is gone, because nobody takes over from it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { describeCause } from "../facts/describeCause.ts"
import { labelled } from "../facts/Label.ts"
import { NodeExit } from "../ports/NodeExit.ts"

/** `label`: "lease/renew". */
export const essential = <A, E, R>(label: string, loop: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | NodeExit> =>
  Effect.onExit(labelled(label, loop), (exit) =>
    exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)
      ? Effect.flatMap(NodeExit, (node) =>
          Effect.andThen(
            Effect.logError(`${label} died`, exit.cause),
            node.exit(`${label} died: ${describeCause(exit.cause)}`)
          )
        )
      : Effect.void
  )
