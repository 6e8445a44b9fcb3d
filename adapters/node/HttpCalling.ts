/**
 * Effect's `HttpClient` on Node as production wants it: connecting has a limit, idle connections are closed before the server closes
 * them, and each server gets so many connections. How long an answer may take is the caller's to say (`Effect.timeout`).
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"
import { httpClientKeepAliveMillis, httpConnectTimeoutMillis, httpConnectionsPerServerMax } from "../../core/Limits.ts"

/** Of whoever is called by `https:`. All in PEM. */
export interface TlsOptions {
  /** Signs the certificates of servers; those that the system trusts, if undefined. */
  readonly authority?: string | undefined
  /** Shown to servers that ask. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}

export const layerTls = ({ authority, certificate, key }: TlsOptions): Layer.Layer<HttpClient.HttpClient> =>
  NodeHttpClient.layerUndiciOptions({
    connect: {
      timeout: httpConnectTimeoutMillis,
      ...(authority === undefined ? {} : { ca: authority }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key })
    },
    connections: httpConnectionsPerServerMax,
    // One exchange at a time: one that is given up takes no other with it.
    pipelining: 1,
    keepAliveTimeout: httpClientKeepAliveMillis,
    keepAliveMaxTimeout: httpClientKeepAliveMillis
  })

export const layer: Layer.Layer<HttpClient.HttpClient> = layerTls({})
