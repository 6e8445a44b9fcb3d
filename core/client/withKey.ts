/** Clients that show a key with every request, and with every handshake. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Dial } from "../ports/Dial.ts"

/** `key` undefined: with none. */
export const withKey = <E, R>(
  key: Redacted.Redacted | undefined,
  client: Layer.Layer<HttpClient.HttpClient, E, R>
): Layer.Layer<HttpClient.HttpClient, E, R> =>
  key === undefined
    ? client
    : Layer.effect(
        HttpClient.HttpClient,
        Effect.map(HttpClient.HttpClient, HttpClient.mapRequest(HttpClientRequest.bearerToken(key)))
      ).pipe(Layer.provide(client))

export const dialWithKey = <E, R>(
  key: Redacted.Redacted | undefined,
  dial: Layer.Layer<Dial, E, R>
): Layer.Layer<Dial, E, R> =>
  key === undefined
    ? dial
    : Layer.effect(
        Dial,
        Effect.map(Dial, ({ dial }) => ({
          dial: (address, { headers }) =>
            dial(address, { headers: { ...headers, authorization: `Bearer ${Redacted.value(key)}` } })
        }))
      ).pipe(Layer.provide(dial))
