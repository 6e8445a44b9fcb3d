/**
 * The network that the running node is attached to; simulated ports find it here.
 */
import * as Context from "effect/Context"
import type { Network } from "./Network.ts"

/** Dies when a program with simulated ports runs outside a world. */
export const CurrentNetwork: Context.Reference<Network> = Context.Reference<Network>("stormglass/sim/network/Network", {
  defaultValue: () => {
    throw new Error("no simulated network: the program runs outside a simulated world")
  }
})
