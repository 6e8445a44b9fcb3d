/** How commands reach a control plane: with the key of whoever types them. */
import path from "node:path"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { withKey } from "../../../core/client/withKey.ts"
import * as HttpCalling from "../../node/HttpCalling.ts"
import { key as parseKey } from "../config/parse.ts"
import { type Key, readKey } from "../serve/keyStore.ts"
import { UsageError } from "../Usage.ts"
import { startedAt } from "./startedHere.ts"

export interface Chosen {
  readonly key: Key
  /** What people look at when it is refused. */
  readonly origin: string
}

/**
 * `STORMGLASS_KEY`, the key of the context, or else, for a control plane that was started in this directory, the key that it keeps there. That one is sent to nobody else.
 */
export const keyFor = (
  addresses: ReadonlyArray<string>,
  ofContext?: { readonly name: string; readonly key?: string }
): Chosen | undefined => {
  const said = process.env["STORMGLASS_KEY"]?.trim() ?? ""
  if (said !== "") {
    const parsed = parseKey(said)
    if (Result.isFailure(parsed)) throw new UsageError(`STORMGLASS_KEY: ${parsed.failure}`)
    return { key: parsed.success, origin: "STORMGLASS_KEY" }
  }
  if (ofContext?.key !== undefined) return { key: Redacted.make(ofContext.key), origin: `context ${ofContext.name}` }
  const started = startedAt(addresses)
  const key = started === undefined ? undefined : readKey(path.resolve(path.dirname(started.keyFile)))
  return started === undefined || key === undefined ? undefined : { key, origin: started.keyFile }
}

export const calling = (key: Key | undefined): Layer.Layer<HttpClient.HttpClient> => withKey(key, HttpCalling.layer)
