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

/** Where a node that was started here, and a cluster, keep the key of whoever looks after them. */
const directories = ["./data/cluster", "./data"]

/**
 * `STORMGLASS_KEY`, the key of the context, or else, for a control plane on this machine alone, the key that it keeps below the directory where the command is typed.
 */
export const keyFor = (addresses: ReadonlyArray<string>, ofContext?: string): Key | undefined => {
  const said = process.env["STORMGLASS_KEY"]?.trim() ?? ""
  if (said !== "") {
    const parsed = parseKey(said)
    if (Result.isFailure(parsed)) throw new UsageError(`STORMGLASS_KEY: ${parsed.failure}`)
    return parsed.success
  }
  if (ofContext !== undefined) return Redacted.make(ofContext)
  if (!addresses.every(isHere)) return undefined
  for (const directory of directories) {
    const key = readKey(path.resolve(directory))
    if (key !== undefined) return key
  }
  return undefined
}

const isHere = (address: string): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(new URL(address).hostname)

export const calling = (key: Key | undefined): Layer.Layer<HttpClient.HttpClient> => withKey(key, HttpCalling.layer)
