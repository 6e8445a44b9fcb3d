/** A client that shows a key with every request. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"

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
