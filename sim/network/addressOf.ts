/** The address that a simulated node listens at, for those who ask; names are what it is reached by. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { SimNode } from "../kernel/SimNode.ts"

export const addressOf = (node: SimNode, port: number): NetAddress.SocketAddress => {
  const ip = `10.0.${Math.floor(node.index / 250)}.${(node.index % 250) + 1}`
  return Result.getOrThrow(NetAddress.inetAddressFromIpString(ip, port))
}
