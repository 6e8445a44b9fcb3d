/** A day in which nobody says anything: five hosts that wait for a message. */
import * as Effect from "effect/Effect"
import { Datagrams, layer } from "../network/Datagrams.ts"
import { World } from "../run/World.ts"

/** Returns how much virtual time passed, in seconds. */
export const idleDay = (): number => {
  const world = new World({ seed: "42" })
  const waiting = Effect.flatMap(Datagrams, ({ receive }) => receive).pipe(Effect.provide(layer))
  for (let host = 0; host < 5; host++) world.addNode(`host-${host}`, waiting).start()
  world.run("1440m")
  return world.nowMicros / 1e6
}
