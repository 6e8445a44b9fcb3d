/**
 * Tokens of an identity provider (JWT, RFC 7519, signed by a key of its published set, RFC 7517), verified by `jose`.
 *
 * - J1 Signature, issuer, audience and end are checked, and nothing is taken from a token before; only asymmetric signatures count.
 * - J2 Who it is of is `jwt:<sub>`: no API key can be made for such a name.
 * - J3 What he may do is in the claim `stormglass`: `{ "verbs": ["read"], "projects": ["shop"] }`. Without it he may do nothing.
 * - J4 The set of keys is fetched when it is needed, and again for a key that is not in it, at most every half a minute.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose"
import { type Principal, Scope, Verb } from "../../core/identity/Access.ts"
import { Busy, Unknown, type Verifier } from "../../core/identity/Credentials.ts"
import { principalCharsMax } from "../../core/Limits.ts"

export interface JwtOptions {
  /** Of the set of keys: "https://id.example.com/.well-known/jwks.json". */
  readonly keysUrl: string
  readonly issuer: string
  readonly audience: string
}

const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
/** How far the clocks of the provider and of this process may be apart. */
const toleranceSeconds = 5
const keysTimeoutMillis = 3_000
const keysCooldownMillis = 30_000

const Granted = Schema.Struct({ verbs: Schema.Array(Verb), projects: Scope })

export const make = ({ audience, issuer, keysUrl }: JwtOptions): Verifier => {
  const keys = createRemoteJWKSet(new URL(keysUrl), {
    timeoutDuration: keysTimeoutMillis,
    cooldownDuration: keysCooldownMillis
  })
  return (token) => {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return Effect.succeed(undefined)
    const verified = Effect.tryPromise({
      try: () =>
        jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms,
          clockTolerance: toleranceSeconds,
          requiredClaims: ["exp", "sub"]
        }),
      catch: refusalOf
    })
    return Effect.flatMap(verified, ({ payload }) => {
      const principal = principalOf(payload)
      return principal instanceof Unknown ? Effect.fail(principal) : Effect.succeed(principal)
    })
  }
}

/** Pure: what the claims of a token that was verified give. */
export function principalOf({ sub, ...claims }: JWTPayload): Principal | Unknown {
  // As names of principals have neither slashes nor spaces.
  const name = `jwt:${encodeURIComponent(sub ?? "")}`
  if (name.length > principalCharsMax) return new Unknown("the token's sub is too long")
  const granted = claims["stormglass"] === undefined ? Option.some(none) : decode(claims["stormglass"])
  if (Option.isNone(granted)) {
    return new Unknown('the token\'s claim stormglass is not { "verbs": […], "projects": […] } as API keys have them')
  }
  return { name, keyId: null, ...granted.value }
}

const none: Pick<Principal, "verbs" | "projects"> = { verbs: [], projects: [] }
const decode = Schema.decodeUnknownOption(Granted)

/** Says what is wrong in words of its own: those of the library may quote the token. */
function refusalOf(error: unknown): Unknown | Busy {
  if (error instanceof errors.JWTExpired) return new Unknown("the token has expired")
  if (error instanceof errors.JWTClaimValidationFailed)
    return new Unknown(`the token's claim ${error.claim} is not right`)
  if (error instanceof errors.JWSSignatureVerificationFailed) return new Unknown("the token's signature is not right")
  if (error instanceof errors.JWKSNoMatchingKey) return new Unknown("the token is signed by a key that is not known")
  const isOfToken =
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid
  // The set of keys could not be had.
  return isOfToken ? new Unknown("the token is no JWT that is taken here") : new Busy()
}
