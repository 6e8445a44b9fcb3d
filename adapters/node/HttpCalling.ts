/**
 * Effect's `HttpClient` on Node as production wants it: connecting has a limit, idle connections are closed before the server closes
 * them, and each server gets so many connections. How long an answer may take is the caller's to say (`Effect.timeout`).
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"
import { httpClientKeepAliveMillis, httpConnectTimeoutMillis, httpConnectionsPerServerMax } from "../../core/Limits.ts"

export const layer: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerUndiciOptions({
  connect: { timeout: httpConnectTimeoutMillis },
  connections: httpConnectionsPerServerMax,
  // One exchange at a time: one that is given up takes no other with it.
  pipelining: 1,
  keepAliveTimeout: httpClientKeepAliveMillis,
  keepAliveMaxTimeout: httpClientKeepAliveMillis
})
