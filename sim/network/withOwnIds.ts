/**
 * Effect's clients of remote calls count their requests in a variable of the module (`RpcClient.ts`, `requestIdCounter`), which all nodes of a
 * simulation share, and all runs of a process: what they write would depend on what ran before. On the wire each connection counts its own
 * here, as it does for a process that has only this one.
 */
import * as Effect from "effect/Effect"
import type * as RpcClient from "effect/rpc/RpcClient"
import type { FromClientEncoded, FromServerEncoded } from "effect/rpc/RpcMessage"

type Id = string | number

export const withOwnIds = (protocol: RpcClient.Protocol["Service"]): RpcClient.Protocol["Service"] => {
  const owns = new Map<Id, number>()
  const originals = new Map<string, Id>()
  let count = 0
  const ownOf = (id: Id): number => {
    const known = owns.get(id)
    if (known !== undefined) return known
    owns.set(id, count)
    originals.set(String(count), id)
    return count++
  }
  const forget = (id: Id): void => {
    const own = owns.get(id)
    owns.delete(id)
    originals.delete(String(own))
  }
  const renamed = (request: FromClientEncoded): FromClientEncoded => {
    if (request._tag === "Request") return { ...request, id: ownOf(request.id) }
    return "requestId" in request
      ? { ...request, requestId: ownOf(request.requestId) as typeof request.requestId }
      : request
  }
  const restored = (response: FromServerEncoded): FromServerEncoded => {
    if (!("requestId" in response)) return response
    const id = originals.get(String(response.requestId)) ?? response.requestId
    if (response._tag === "Exit") forget(id)
    return { ...response, requestId: id as typeof response.requestId }
  }
  return {
    ...protocol,
    run: (clientId, onResponse) => protocol.run(clientId, (response) => onResponse(restored(response))),
    send: (clientId, request, transferables) =>
      Effect.suspend(() => protocol.send(clientId, renamed(request), transferables))
  }
}
