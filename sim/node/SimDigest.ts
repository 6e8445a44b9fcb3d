/** Digests at once: those of WebCrypto come through a promise of the host. */
import { sha1 } from "@noble/hashes/legacy.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import * as Digest from "effect/crypto/Digest"
import * as Hex from "effect/encoding/Hex"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const functions: Readonly<Record<string, (data: Uint8Array) => Uint8Array>> = {
  "SHA-1": sha1,
  "SHA-256": sha256,
  "SHA-384": sha384,
  "SHA-512": sha512
}

/** Dies of an algorithm that is neither here nor brings its own code. */
const digest = ({ implementation, name }: Digest.Algorithm, data: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.sync(() => {
    const hash = implementation ?? functions[name]
    if (hash === undefined) throw new Error(`no digest ${name} in the simulation`)
    return hash(data)
  })

export const layer: Layer.Layer<Digest.Digest> = Layer.succeed(Digest.Digest, {
  digest,
  digestHex: (algorithm, data) => Effect.map(digest(algorithm, data), Hex.encode)
})
