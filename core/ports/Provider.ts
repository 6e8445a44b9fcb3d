/**
 * The outside world that instances run in: processes, containers, machines.
 *
 * - P1 Everything is named by the uid of the instance, chosen and stored before the first call; repeating a call with the same
 *   uid is safe.
 * - P2 A provider is slow and not to be believed at once: `start` and `stop` only ask, `observe` may lag behind both.
 * - P3 After `UnknownOutcome` the call may have had its effect, or may still have it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Text } from "./Text.ts"

export const Spec = Schema.Struct({
  image: Text.check(Schema.isNonEmpty()).annotate({ description: "What runs", examples: ["web:1"] }),
  size: Schema.Literals(["small", "medium", "large"]).annotate({ description: "How large it is", examples: ["small"] })
}).annotate({ description: "What each instance is; it never changes" })
export type Spec = typeof Spec.Type

/** Too many calls; the provider did nothing. */
export class Throttled extends Schema.TaggedError<Throttled>()("Throttled", { retryAfterMillis: Schema.Int }) {
  override get message() {
    return `throttled, retry after ${this.retryAfterMillis} ms`
  }
}

/** The provider could not be reached, or refused; it did nothing. */
export class ProviderUnavailable extends Schema.TaggedError<ProviderUnavailable>()("ProviderUnavailable", {
  detail: Schema.String
}) {
  override get message() {
    return `provider unavailable: ${this.detail}`
  }
}

/** The call was sent and its answer never came. */
export class UnknownEffect extends Schema.TaggedError<UnknownEffect>()("UnknownEffect", {}) {
  override get message() {
    return "the outcome of the call is unknown"
  }
}

export class ProviderError extends Schema.TaggedError<ProviderError>()("ProviderError", {
  call: Schema.Literals(["start", "stop", "observe", "list"]),
  reason: Schema.Union([Throttled, ProviderUnavailable, UnknownEffect])
}) {
  override get message() {
    return `${this.call}: ${this.reason.message}`
  }
}

/** What the provider shows for a uid; `Absent` for one that it never had, or has no more. */
export const Observation = Schema.Literals(["Absent", "Starting", "Running", "Stopping", "Failed"])
export type Observation = typeof Observation.Type

export interface Observed {
  readonly observation: Observation
  /** The agent that it was given to, where there are any. */
  readonly agent?: string
  /** Of what is `Failed`: how it ended, "exited with code 1: out of memory". */
  readonly cause?: string
}

export class Provider extends Context.Service<
  Provider,
  {
    /** Asks for the resource of `uid`; nothing new when there is one already. */
    readonly start: (uid: string, spec: Spec) => Effect.Effect<void, ProviderError>
    /** Asks for its end; nothing when there is none. */
    readonly stop: (uid: string) => Effect.Effect<void, ProviderError>
    readonly observe: (uid: string) => Effect.Effect<Observed, ProviderError>
    /** The uids of all resources that exist, ascending. */
    readonly list: Effect.Effect<ReadonlyArray<string>, ProviderError>
    /** Ends when something here may look otherwise than when it ended last. Absent where nobody tells: who wants to know looks at intervals. */
    readonly changed?: Effect.Effect<void>
  }
>()("stormglass/core/ports/Provider") {}

/** Facts of the provider itself, told by whoever plays it. `resource` is the provider's own name of the outside thing. */
export interface ProviderStarted {
  readonly _tag: "ProviderStarted"
  readonly uid: string
  readonly resource: string
}

/** The outside thing is gone for good. */
export interface ProviderStopped {
  readonly _tag: "ProviderStopped"
  readonly uid: string
  readonly resource: string
}

/** The node asks for something to be done to the resource of the uid; told by the provider's side, whatever the node says that it does. */
export interface ProviderAsked {
  readonly _tag: "ProviderAsked"
  readonly call: "start" | "stop"
  readonly uid: string
}

/** The node has been told this, true or not. */
export interface ProviderObserved {
  readonly _tag: "ProviderObserved"
  readonly uid: string
  readonly observation: Observation
}

export type ProviderFact = ProviderStarted | ProviderStopped | ProviderAsked | ProviderObserved
