/** A proxy as many networks have one: it passes requests on, and upgrades nothing. */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Layer from "effect/Layer"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import * as SimHttpServer from "../sim/network/SimHttpServer.ts"
import type { World } from "../sim/run/World.ts"

const name = "proxy"
const firstPort = 9_001

/** Starts it before these addresses; returns those by which they are reached through it. */
export const start = (world: World, addresses: ReadonlyArray<string>): ReadonlyArray<string> => {
  const servers = addresses.map((address, index) =>
    HttpServer.serve(passOn(address)).pipe(Layer.provide(SimHttpServer.layer({ port: firstPort + index })))
  )
  const [first, ...others] = servers
  const program = Layer.launch(Layer.mergeAll(first!, ...others).pipe(Layer.provide(SimHttpClient.layer)))
  world
    .addNode(name, program, {
      tags: ["process", "control-plane", "clock"],
      onExit: { _tag: "Restart", afterMicros: 1_000_000 }
    })
    .start()
  return addresses.map((_, index) => `http://${name}:${firstPort + index}`)
}

const ofTheConnection = ["connection", "upgrade", "host", "content-length", "transfer-encoding"]

const passOn = (address: string) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const { arrayBuffer, headers, method, url } = yield* HttpServerRequest.HttpServerRequest
    const body = new Uint8Array(yield* arrayBuffer)
    const passed = HttpClientRequest.make(method as HttpMethod)(`${address}${url}`, {
      headers: Headers.removeMany(headers, ofTheConnection)
    })
    const answer = yield* client.execute(
      body.length === 0
        ? passed
        : HttpClientRequest.bodyUint8Array(passed, body, headers["content-type"] ?? "application/octet-stream")
    )
    return HttpServerResponse.uint8Array(new Uint8Array(yield* answer.arrayBuffer), {
      status: answer.status,
      headers: Headers.removeMany(answer.headers, ofTheConnection),
      contentType: answer.headers["content-type"] ?? "application/octet-stream"
    })
  }).pipe(Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 502 }))))
