/**
 * Effect's clients of remote calls count their requests in a variable of the module (`RpcClient.ts`, `requestIdCounter`), which all nodes of a
 * simulation share, and all runs of a process: what they write would depend on what ran before. On the wire each protocol counts its own
 * here, as it does for a process that has only this one.
 */
import * as Effect from "effect/Effect"
import * as RpcClient from "effect/rpc/RpcClient"
import type { FromClientEncoded, FromServerEncoded } from "effect/rpc/RpcMessage"

type Id = string | number
type Service = RpcClient.Protocol["Service"]

/** Of one world: its protocols, each with the one that counts for itself in its place. */
export class OwnRequestIds {
  readonly #counted = new WeakMap<Service, Service>()

  /** Whoever asks for a protocol has one that counts for itself, however it was made, until what is returned is called. Nests. */
  enter(): () => void {
    const { Protocol } = RpcClient
    const before = Object.getOwnPropertyDescriptor(Protocol, Symbol.iterator)
    const counting = Effect.map(Effect.service(Protocol), (protocol) => this.#of(protocol))
    const value = () => counting[Symbol.iterator]()
    Reflect.defineProperty(Protocol, Symbol.iterator, { value, configurable: true })
    return () => {
      if (before === undefined) Reflect.deleteProperty(Protocol, Symbol.iterator)
      else Reflect.defineProperty(Protocol, Symbol.iterator, before)
    }
  }

  /** The same for all its clients: ids are told apart by connection only. */
  #of(protocol: Service): Service {
    const counted = this.#counted.get(protocol) ?? withOwnIds(protocol)
    this.#counted.set(protocol, counted)
    this.#counted.set(counted, counted)
    return counted
  }
}

const withOwnIds = (protocol: Service): Service => {
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
