/**
 * A small service that somebody may have written without ever having heard of a simulator: charges by HTTP, and a client that
 * repeats a charge until it is answered. It knows nothing of the simulated world.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { emit } from "../../core/facts/Facts.ts"

/** `remembers`: whether a charge that comes twice is recognised by its order. */
export const server = (options: { readonly remembers: boolean }) => {
  const charged = new Set<string>()
  const charge = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const order = request.url.split("/")[2] ?? ""
    if (options.remembers && charged.has(order)) return HttpServerResponse.text("again")
    charged.add(order)
    yield* emit({ _tag: "Charged", order })
    return HttpServerResponse.text("charged")
  })
  return HttpRouter.serve(HttpRouter.add("POST", "/charge/:order", charge), {
    disableLogger: true,
    disableListenLog: true
  })
}

/** Charges ten orders, each as often as it takes. */
export const client = Effect.gen(function* () {
  const http = yield* HttpClient.HttpClient
  for (let order = 1; order <= 10; order++) {
    const charge = http.execute(HttpClientRequest.post(`http://server:8080/charge/${order}`))
    yield* charge.pipe(Effect.timeout("1 second"), Effect.retry({ times: 1_000 }))
    yield* Effect.sleep("1 second")
  }
})
