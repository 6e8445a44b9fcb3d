/**
 * What a node cannot be without: if it ends by a defect, so does the node. A loop that has died in silence is worse than a node
 * that is gone, because nobody takes over from it. The defect is told first: the supervisor that starts the node again must not
 * be the only one who knew.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { errorsOf } from "../facts/errorsOf.ts"
import * as Facts from "../facts/Facts.ts"
import { labelled } from "../facts/Label.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import type { EssentialDied } from "./NodeFacts.ts"

/** `label`: "lease/renew". */
export const essential = <A, E, R>(label: string, loop: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | NodeExit> =>
  Effect.onExit(labelled(label, loop), (exit) =>
    exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)
      ? Effect.gen(function* () {
          const node = yield* NodeExit
          const errors = errorsOf(exit.cause)
          yield* Facts.emit({ _tag: "EssentialDied", label, errors } satisfies EssentialDied)
          yield* Effect.logError(`${label} died`, exit.cause)
          return yield* node.exit(`${label} died: ${errors.join("; ")}`)
        })
      : Effect.void
  )
