/**
 * The key of a session while it lasts: looked at again every now and then, and before anything is done under it that it was not looked at
 * for lately, as a process may have been stopped in between.
 *
 * - Y1 Nothing is done, and nothing told, ten seconds after the key's end.
 * - Y2 A store that does not answer is forgiven for a while, and no longer: then the session ends, and its owner may ask elsewhere.
 */
import * as Effect from "effect/Effect"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import type { Need, Principal } from "../identity/Access.ts"
import type { Gate } from "../identity/Gate.ts"
import type { Authorized } from "../identity/IdentityFacts.ts"
import { sessionKeyAgainMillis, sessionKeyCheckMillis, sessionKeyTrustMillis } from "../Limits.ts"
import { SessionEnd } from "./SessionEnd.ts"

export interface Held {
  readonly token: string
  readonly need: Need
  readonly project: string | undefined
  readonly principal: Principal
}

export interface KeyHeld {
  /** Before whatever is done under the key. */
  readonly require: Effect.Effect<void, SessionEnd>
  /** Ends when the key does. */
  readonly watch: Effect.Effect<never, SessionEnd>
}

const ended = Mark.sometimes("session ended with its key")

export const make = (gate: Gate["Service"], held: Held): Effect.Effect<KeyHeld> =>
  Effect.map(monotonicMicros, (admittedAtMicros) => {
    let knownAtMicros = admittedAtMicros
    const { need, principal, project, token } = held
    /** False when nobody can say just now. */
    const check = Effect.gen(function* () {
      const askedAtMicros = yield* monotonicMicros
      const judged = yield* Effect.result(gate.holds(token, need, project)).pipe(
        Effect.timeoutOption(sessionKeyTrustMillis - sessionKeyCheckMillis)
      )
      const refusal = judged._tag === "Some" && judged.value._tag === "Failure" ? judged.value.failure : undefined
      if (judged._tag === "Some" && refusal === undefined) {
        knownAtMicros = askedAtMicros
        return true
      }
      if (refusal?._tag === "Unauthenticated" || refusal?._tag === "Forbidden") {
        yield* Mark.hit(ended)
        return yield* Effect.fail(
          new SessionEnd(refusal._tag === "Forbidden" ? "keyForbids" : "keyEnded", refusal.detail)
        )
      }
      if ((yield* monotonicMicros) < knownAtMicros + sessionKeyTrustMillis * 1_000) return false
      return yield* Effect.fail(new SessionEnd("tryElsewhere", "nobody can say whether the key is still good"))
    })
    const { keyId, name } = principal
    const authorized: Authorized = {
      _tag: "Authorized",
      principal: name,
      keyId,
      verb: need.verb,
      project: project ?? null
    }
    return {
      require: Effect.flatMap(monotonicMicros, (nowMicros) => {
        // Asked for each thing that is told.
        const done = keyId === null ? Effect.void : Facts.emit(authorized)
        return nowMicros < knownAtMicros + sessionKeyCheckMillis * 1_000 ? done : Effect.andThen(check, done)
      }),
      watch: Effect.gen(function* () {
        let isKnown = true
        for (;;) {
          yield* Effect.sleep(isKnown ? sessionKeyCheckMillis : sessionKeyAgainMillis)
          isKnown = yield* check
        }
      })
    }
  })
