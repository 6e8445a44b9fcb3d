/** The handshakes that a node has taken, by its own count (`/metrics`), looked at again and again. */
import * as Effect from "effect/Effect"
import { assert } from "../../../core/assert.ts"

/** What the node has counted at some moment between when it was asked and when it answered. */
export interface Look {
  readonly askedAt: number
  readonly answeredAt: number
  readonly admitted: number
}

const everyMillis = 100

/** Looks for as long as it runs. A node that does not answer has counted nothing that is known. */
export const look = (port: number, looks: Array<Look>): Effect.Effect<never> =>
  Effect.forever(
    Effect.andThen(
      Effect.promise(async () => {
        const askedAt = performance.now()
        const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
          (response) => response.text(),
          () => undefined
        )
        if (text === undefined) return
        const line = /^stormglass_handshakes_total\{[^}]*outcome="admitted"[^}]*\} (\d+)$/m.exec(text)
        looks.push({ askedAt, answeredAt: performance.now(), admitted: Number(line?.[1] ?? 0) })
      }),
      Effect.sleep(everyMillis)
    )
  )

/**
 * Of the looks at one process, the most handshakes within any second that lies between two of them; dies when between any two there were more
 * than the limits let in, or when fewer were counted than there were.
 */
export const judge = (
  looks: ReadonlyArray<Look>,
  limits: { readonly perSecond: number; readonly burst: number }
): number => {
  let peak = 0
  for (const [index, later] of looks.entries()) {
    for (const earlier of looks.slice(0, index)) {
      const count = later.admitted - earlier.admitted
      const longestSeconds = (later.answeredAt - earlier.askedAt) / 1_000
      assert(
        count <= limits.perSecond * longestSeconds + limits.burst,
        `a node took ${count} handshakes within ${longestSeconds.toFixed(2)} s`
      )
      if (longestSeconds <= 1) peak = Math.max(peak, count)
    }
  }
  return peak
}
