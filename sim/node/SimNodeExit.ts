/**
 * The end of a node by its own decision, and its supervisor: the node dies at once and is started again a little later.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { NodeExit } from "../../core/ports/NodeExit.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"

const restartMicros = 1_000_000

export const layer: Layer.Layer<NodeExit, never, SimNode> = Layer.effect(
  NodeExit,
  Effect.map(CurrentNode, (node) =>
    NodeExit.of({
      exit: (reason) =>
        Effect.suspend(() => {
          node.crash(reason)
          node.host.schedule(restartMicros, () => node.revive(), undefined)
          return Effect.never
        })
    })
  )
)
