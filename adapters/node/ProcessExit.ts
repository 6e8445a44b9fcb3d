/**
 * `NodeExit` in production: the process ends at once, with its reason on standard error and a code that asks a supervisor to start it
 * again. No finalizer runs, so nothing is released that another may hold by now.
 */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { NodeExit } from "../../core/ports/NodeExit.ts"

/** EX_TEMPFAIL of sysexits(3): try again. */
export const exitCode = 75

/** `lineOf` is what is written, without its newline. */
export const layerSaying = (lineOf: (reason: string) => string): Layer.Layer<NodeExit> =>
  Layer.succeed(
    NodeExit,
    NodeExit.of({
      exit: (reason) =>
        Effect.sync(() => {
          try {
            // At once: what is written later is written never.
            writeSync(2, `${lineOf(`this process ends itself: ${reason}`)}\n`)
          } finally {
            process.exit(exitCode)
          }
        })
    })
  )

export const layer: Layer.Layer<NodeExit> = layerSaying((said) => `stormglass: ${said}`)
