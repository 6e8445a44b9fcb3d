/**
 * From a token to its principal. API keys are looked up in the store and remembered for `keyCacheMillis`; a token of another kind is
 * for `others`, a verifier that an adapter brings.
 *
 * What is remembered is also that there is no such key: a key is made before it is used. How many keys that nobody knows are looked up is
 * bounded, so that guessing costs the store nothing.
 */
import * as Effect from "effect/Effect"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import { keyCacheMillis, keyCacheMax, keyLookupsBurst, keyLookupsPerSecond } from "../Limits.ts"
import type { Storage, StorageError } from "../ports/Storage.ts"
import * as TokenBucket from "../reconcile/TokenBucket.ts"
import type { Principal } from "./Access.ts"
import * as ApiKey from "./ApiKey.ts"

/** Why somebody is not let in, in words for whoever asks; never anything of the token. */
export class Unknown {
  readonly _tag = "Unknown"
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** Not now: too many tokens that nobody knows were shown, or the store took too long. */
export class Busy {
  readonly _tag = "Busy"
}

/** Judges a token that is no API key; undefined when it is not of its kind either. */
export type Verifier = (token: string) => Effect.Effect<Principal | undefined, Unknown | Busy>

interface Remembered {
  readonly key: ApiKey.ApiKey | undefined
  readonly untilMicros: number
}

export type Credentials = (token: string) => Effect.Effect<Principal, Unknown | Busy | StorageError>

/** `own` are tokens that this process gave itself. */
export const make = Effect.fnUntraced(function* (options: {
  readonly once: Storage["Service"]["once"]
  readonly others: Verifier | undefined
  readonly own: ReadonlyMap<string, Principal>
}) {
  const { once, others, own } = options
  const remembered = new Map<string, Remembered>()
  let lookups = TokenBucket.make({
    burst: keyLookupsBurst,
    perSecond: keyLookupsPerSecond,
    nowMicros: yield* monotonicMicros
  })

  const lookUp = Effect.fnUntraced(function* (id: string) {
    const askedAtMicros = yield* monotonicMicros
    const known = remembered.get(id)
    if (known !== undefined && askedAtMicros < known.untilMicros) return known.key
    if (known?.key === undefined) {
      const left = TokenBucket.take(TokenBucket.refill(lookups, askedAtMicros))
      if (left === undefined) return yield* Effect.fail(new Busy())
      lookups = left
    }
    const key = yield* ApiKey.look(once, id)
    // An answer that was longer under way than it may be remembered says nothing about now.
    if ((yield* monotonicMicros) >= askedAtMicros + keyCacheMillis * 1_000) return yield* Effect.fail(new Busy())
    if (key !== undefined && known?.key === undefined) lookups = { ...lookups, tokens: lookups.tokens + 1 }
    remembered.delete(id)
    if (remembered.size >= keyCacheMax) remembered.delete(remembered.keys().next().value!)
    // From when it was asked for: what was read is at least that old.
    remembered.set(id, { key, untilMicros: askedAtMicros + keyCacheMillis * 1_000 })
    return key
  })

  const credentials: Credentials = Effect.fnUntraced(function* (token) {
    if (token === "") return yield* Effect.fail(new Unknown("a key is required: send Authorization: Bearer sg_…"))
    const mine = own.get(token)
    if (mine !== undefined) return mine
    const parsed = ApiKey.parse(token)
    if (parsed === undefined) {
      const other = others === undefined ? undefined : yield* others(token)
      return other ?? (yield* Effect.fail(new Unknown("the token is of no kind that is known here")))
    }
    const key = yield* lookUp(parsed.id)
    if (key === undefined || !ApiKey.isOf(key, parsed)) {
      return yield* Effect.fail(new Unknown(`key ${parsed.id} is not known, has expired or was revoked`))
    }
    return { name: key.principal, keyId: key.id, verbs: key.verbs, projects: key.projects }
  })
  return credentials
})
