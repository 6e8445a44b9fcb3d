/**
 * One HttpApi and its server, written against nothing but Effect's interfaces: the tests run it on Node and in the simulator.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const Total = Schema.Struct({ total: Schema.Int })

class Counting extends HttpApiGroup.make("counting")
  .add(HttpApiEndpoint.post("add", "/add", { payload: Schema.Struct({ amount: Schema.Int }), success: Total }))
  .add(HttpApiEndpoint.get("read", "/total", { success: Total })) {}

class CounterApi extends HttpApi.make("counter").add(Counting) {}

/** Serves the counter on whatever `HttpServer` is provided; `total` outlives the server. */
export const serve = (total: { value: number }) => {
  const handlers = HttpApiBuilder.group(CounterApi, "counting", (handlers) =>
    handlers
      .handle("add", ({ payload }) =>
        Effect.sync(() => {
          total.value += payload.amount
          return { total: total.value }
        })
      )
      .handle("read", () => Effect.sync(() => ({ total: total.value })))
  )
  return HttpRouter.serve(HttpApiBuilder.layer(CounterApi).pipe(Layer.provide(handlers)), {
    disableListenLog: true,
    disableLogger: true
  })
}

export const client = (baseUrl: string) => HttpApiClient.make(CounterApi, { baseUrl })
