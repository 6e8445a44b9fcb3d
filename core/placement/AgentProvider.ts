/**
 * The provider of production: agents run the instances, and this is how their owners ask for it. What is asked lies in the table of
 * placements until the agent takes it, from whichever node it asks; so no call waits for an agent, and none is lost with a node.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { eq } from "../ports/Condition.ts"
import {
  Provider,
  type ProviderAsked,
  ProviderError,
  type ProviderObserved,
  ProviderUnavailable,
  UnknownEffect
} from "../ports/Provider.ts"
import { Storage, type StorageError } from "../ports/Storage.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import * as Placement from "./Placement.ts"

const isLate = Mark.sometimes("start of an instance that is not being created any more placed nothing")

export const layer: Layer.Layer<Provider, never, Storage> = Layer.effect(
  Provider,
  Effect.gen(function* () {
    const { once, transaction } = yield* Storage

    /** Undefined when no agent that is there has room. */
    const choose = Effect.fnUntraced(function* (uid: string) {
      const agents = yield* once(Placement.live, { label: "placement/agents" })
      const candidates = yield* Effect.forEach(
        Placement.candidatesFor(agents, (agent) => fnv1a32(`${uid}@${agent}`)),
        (agent) =>
          Effect.map(
            once((tx) => tx.count(Placement.placements, (row) => eq(row.agent, agent)), { label: "placement/count" }),
            (count) => ({ agent, count })
          )
      )
      return Placement.emptierOf(candidates)
    })

    const asked = (call: ProviderAsked["call"], uid: string) =>
      Facts.emit({ _tag: "ProviderAsked", call, uid } satisfies ProviderAsked)

    return Provider.of({
      start: (uid, spec) =>
        Effect.gen(function* () {
          yield* asked("start", uid)
          const agent = yield* choose(uid)
          if (agent === undefined) {
            return yield* new ProviderError({
              call: "start",
              reason: new ProviderUnavailable({ detail: "no agent that is there has room" })
            })
          }
          yield* FaultPoint.here("placement/chosen")
          const placed = transaction((tx) => Placement.place(tx, { uid, agent, spec }), { label: "placement/place" })
          yield* Mark.hit(isLate, !(yield* retryTransient(placed)))
        }).pipe(Effect.catchTag("StorageError", failed("start"))),
      stop: (uid) =>
        Effect.andThen(
          asked("stop", uid),
          once((tx) => Placement.unplace(tx, uid), { label: "placement/unplace" })
        ).pipe(Effect.asVoid, Effect.catchTag("StorageError", failed("stop"))),
      observe: (uid) =>
        once((tx) => tx.get(Placement.placements, { uid }), { label: "placement/observe" }).pipe(
          Effect.map(Placement.observedOf),
          Effect.tap(({ observation }) =>
            Facts.emit({ _tag: "ProviderObserved", uid, observation } satisfies ProviderObserved)
          ),
          Effect.catchTag("StorageError", failed("observe"))
        ),
      // By L3 there is none that nobody owns.
      list: Effect.succeed([])
    })
  })
)

const failed =
  (call: ProviderError["call"]) =>
  (error: StorageError): Effect.Effect<never, ProviderError> =>
    Effect.fail(
      new ProviderError({
        call,
        reason:
          error.reason._tag === "UnknownOutcome"
            ? new UnknownEffect()
            : new ProviderUnavailable({ detail: error.message })
      })
    )
