/**
 * The gate that every request passes: who asks, whether he may, and whether it is his turn. Deny by default.
 *
 * - G1 Nobody is told whether a thing exists that he may not see.
 * - G2 A principal has at most its limit on all nodes together, and so has a project (`RateLimit.ts`). What agents say is not counted: there
 *   are as many of them as there are, and each speaks by the clock.
 * - G3 When the store cannot say who somebody is, or whether it is his turn, he is asked to come again (503); he is never let in.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { Forbidden, TooManyRequests, Unauthenticated, type Unavailable } from "../api/ApiErrors.ts"
import { unavailable } from "../api/problems.ts"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { rateScopesMax } from "../Limits.ts"
import * as Metrics from "../Metrics.ts"
import { Storage, type StorageError } from "../ports/Storage.ts"
import { anyone, lacking, mayAsk, type Need, type Principal } from "./Access.ts"
import * as Credentials from "./Credentials.ts"
import type { Authorized, TurnTaken } from "./IdentityFacts.ts"
import * as RateLimit from "./RateLimit.ts"

export type Refusal = Unauthenticated | Forbidden | TooManyRequests | Unavailable

export class Gate extends Context.Service<
  Gate,
  {
    /** `token` is empty when there is none; `project` undefined when the request is for none. */
    readonly admit: (token: string, need: Need, project: string | undefined) => Effect.Effect<Principal, Refusal>
    /** Whether who was admitted still may; takes nobody's turn. */
    readonly holds: (token: string, need: Need, project: string | undefined) => Effect.Effect<void, Refusal>
  }
>()("stormglass/core/identity/Gate") {}

/** Asks nobody who he is: for networks that nobody else reaches. */
export const open: Layer.Layer<Gate> = Layer.succeed(Gate, {
  admit: () => Effect.succeed(anyone),
  holds: () => Effect.void
})

export interface GateOptions {
  readonly principal: RateLimit.Limit
  readonly project: RateLimit.Limit
  /** Of tokens that are no API keys. */
  readonly others?: Credentials.Verifier | undefined
  /** Tokens that this process gave itself. */
  readonly own?: ReadonlyMap<string, Principal>
}

const limited = Mark.sometimes("request refused because its principal or project has used its share")
const unknown = Mark.sometimes("request refused because its key is not known, or not any more")

export const keyed = (options: GateOptions): Layer.Layer<Gate, never, Storage> =>
  Layer.effect(
    Gate,
    Effect.gen(function* () {
      const { once } = yield* Storage
      const { others, own = new Map() } = options
      const credentials = yield* Credentials.make({ once, others, own })
      const ofPrincipals = yield* limiter(once, "principal", options.principal)
      const ofProjects = yield* limiter(once, "project", options.project)

      const known = Effect.fnUntraced(function* (token: string, need: Need, project: string | undefined) {
        const principal = yield* credentials(token)
        if (mayAsk(principal, need, project)) return principal
        return yield* new Forbidden({ detail: lacking(principal, need, project) })
      })
      const admit = Effect.fnUntraced(function* (token: string, need: Need, project: string | undefined) {
        const principal = yield* known(token, need, project)
        const { keyId, name } = principal
        const { verb } = need
        const authorized: Authorized = { _tag: "Authorized", principal: name, keyId, verb, project: project ?? null }
        yield* Facts.emit(authorized)
        if (verb !== "agent") {
          yield* ofPrincipals(name)
          if (project !== undefined) yield* ofProjects(project)
        }
        return principal
      })
      return {
        admit: (token, need, project) =>
          told(admit(token, need, project)).pipe(
            Effect.tapError(({ _tag }) => Metrics.increment(Metrics.requestsRefused[_tag]))
          ),
        holds: (token, need, project) => Effect.asVoid(told(known(token, need, project)))
      }
    })
  )

type Failure = Forbidden | TooManyRequests | Credentials.Unknown | Credentials.Busy | StorageError

/** As whoever asks is told it. */
const told = <A>(asked: Effect.Effect<A, Failure>): Effect.Effect<A, Refusal> =>
  Effect.catchTags(asked, {
    Unknown: ({ message }) => Effect.andThen(Mark.hit(unknown), new Unauthenticated({ detail: message })),
    Busy: () => new TooManyRequests({ detail: "whose key this is cannot be looked up just now", retryAfterSeconds: 1 }),
    StorageError: unavailable
  })

interface Share {
  readonly turn: Semaphore.Semaphore
  slice: RateLimit.Slice
  /** Nothing was to be had; not asked again before then. */
  refusedUntilMicros: number
}

/** Takes one token of what is named, or refuses. */
const limiter = (once: Storage["Service"]["once"], kind: string, limit: RateLimit.Limit) =>
  Effect.sync(() => {
    const shares = new Map<string, Share>()
    const shareOf = (name: string): Share => {
      const known = shares.get(name)
      if (known !== undefined) return known
      // Whoever came first is forgotten first: what he had left is lost, and never given twice.
      if (shares.size >= rateScopesMax) shares.delete(shares.keys().next().value!)
      const share = { turn: Semaphore.makeUnsafe(1), slice: RateLimit.empty, refusedUntilMicros: 0 }
      shares.set(name, share)
      return share
    }
    const refill = Effect.fnUntraced(function* (name: string, share: Share) {
      const most = RateLimit.sliceOf(limit)
      for (const tokens of most === 1 ? [1] : [most, 1]) {
        const askedAtMicros = yield* monotonicMicros
        if (!(yield* RateLimit.take(once, `${kind}/${name}`, limit, tokens))) continue
        share.slice = RateLimit.sliceFrom(tokens, askedAtMicros)
        return
      }
      share.refusedUntilMicros = (yield* monotonicMicros) + RateLimit.intervalMicros(limit)
    })
    return Effect.fnUntraced(function* (name: string): Effect.fn.Return<void, TooManyRequests | StorageError> {
      const share = shareOf(name)
      const give = Effect.flatMap(monotonicMicros, (nowMicros) => {
        const rest = RateLimit.give(share.slice, nowMicros)
        if (rest === undefined) return Effect.succeed(false)
        share.slice = rest
        return Effect.as(
          Facts.emit({ _tag: "TurnTaken", scope: `${kind}/${name}`, ...limit } satisfies TurnTaken),
          true
        )
      })
      const refuse = Effect.andThen(
        Mark.hit(limited),
        new TooManyRequests({
          detail: `${kind} ${name} has used its share of ${limit.perSecond} requests a second`,
          retryAfterSeconds: Math.ceil(1 / limit.perSecond)
        })
      )
      if (yield* give) return
      // One asks for all that wait.
      yield* share.turn.withPermit(
        Effect.gen(function* () {
          if (yield* give) return
          if ((yield* monotonicMicros) < share.refusedUntilMicros) return yield* refuse
          yield* refill(name, share)
          if (!(yield* give)) return yield* refuse
        })
      )
    })
  })
