/**
 * How a node ends itself when it must not run on: its work outlived a lease, or another process has its name.
 * In production the process exits at once, without finalizers; in the simulator the node crashes.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class NodeExit extends Context.Service<
  NodeExit,
  {
    /** Does not return: no code of this incarnation runs after it. */
    readonly exit: (reason: string) => Effect.Effect<never>
  }
>()("stormglass/core/ports/NodeExit") {}
