/**
 * A simulated provider of outside resources: it lags, half-finishes, lies, forgets, throttles and lets things die, as its
 * hazards say. It lives in the world, not on a node: it survives every crash of those who call it.
 *
 * - P1 One uid has at most one resource at a time, and a start for a uid that has one does nothing.
 * - P2 Every resource that comes into being or ends for good is told as a fact, because the control plane may not know; so is what
 *   is asked of it and what it answers to a look, because the control plane may not say.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  type Observation,
  type Observed,
  Provider,
  type ProviderAsked,
  ProviderError,
  type ProviderObserved,
  type ProviderStarted,
  type ProviderStopped,
  ProviderUnavailable,
  type Spec,
  Throttled,
  UnknownEffect
} from "../../core/ports/Provider.ts"
import * as Chance from "../kernel/Chance.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import type { World } from "../run/World.ts"

interface Resource {
  readonly name: string
  state: Exclude<Observation, "Absent">
  /** It was said to be gone, and nothing ends it: its stop was forgotten. */
  isForgotten: boolean
}

/** What `observe` would have said, and since when; kept for as long as a stale answer may reach back. */
interface Past {
  readonly atMicros: number
  readonly observation: Observation
}

type Call = ProviderError["call"]

const latencyMicrosMin = 2_000
const latencyMicrosMax = 20_000
const startMicrosMin = 300_000
const startMicrosMax = 2_000_000
const stopMicrosMin = 200_000
const stopMicrosMax = 1_000_000
/** A lagging answer is at most so old, and a lagging start or stop takes at most so much longer. */
const lagMicrosMax = 10_000_000
/** A start that was begun and never ended is given up by the provider after this. */
const giveUpMicros = 45_000_000
/** A resource that dies after having been healthy does so within this time. */
const lifeMicrosMax = 30_000_000

export class SimProvider {
  readonly #world: World
  readonly #key: Chance.Key
  readonly #host: string | undefined
  readonly #resources = new Map<string, Resource>()
  readonly #history = new Map<string, Array<Past>>()
  readonly #calls = new Map<string, number>()
  /** Images whose resources fail as soon as they have started. */
  readonly #poisoned = new Set<string>()
  #created = 0

  /**
   * `host`: the provider of one agent's host, by its name. What is asked of it there is the agent's own business, and not told; what
   * becomes of it is.
   */
  constructor(world: World, host?: string) {
    this.#world = world
    this.#host = host
    this.#key = Chance.derive(world.kernel.key, host === undefined ? "provider" : `provider/${host}`)
  }

  /** The provider as the program on a node sees it. */
  readonly layer: Layer.Layer<Provider, never, SimNode> = Layer.effect(
    Provider,
    Effect.map(CurrentNode, (node) =>
      Provider.of({
        start: (uid, spec) => this.#asked(node, "start", uid, () => this.#start(uid, spec)),
        stop: (uid) => this.#asked(node, "stop", uid, () => this.#stop(uid)),
        observe: (uid) =>
          Effect.map(
            this.#call(node, "observe", uid, (nth) => this.#observe(uid, nth)),
            (observed) => {
              const { observation } = observed
              if (this.#host === undefined) node.tell<ProviderObserved>({ _tag: "ProviderObserved", uid, observation })
              return observed
            }
          ),
        list: this.#call(node, "list", "", () => [...this.#resources.keys()].toSorted())
      })
    )
  )

  /** The uids that run now, ascending: what an agent on the spot can see. */
  running(): ReadonlyArray<string> {
    return [...this.#resources]
      .filter(([, resource]) => resource.state === "Running")
      .map(([uid]) => uid)
      .toSorted()
  }

  get size(): number {
    return this.#resources.size
  }

  /** A resource that does not run, and says so; undefined when all do. */
  unwell(): string | undefined {
    for (const [uid, { state }] of this.#resources) {
      if (state !== "Running") return `the resource of ${uid} is ${state}`
    }
    return undefined
  }

  /** A resource fails by itself, as a machine does. */
  fail(uid: string): void {
    const resource = this.#resources.get(uid)
    if (resource !== undefined) this.#become(uid, resource, "Failed")
  }

  /** Nothing of this image can be started from now on, until it is cured. */
  poison(image: string): void {
    this.#poisoned.add(image)
  }

  cure(image: string): void {
    this.#poisoned.delete(image)
  }

  /** Everything ends at once, and nobody here tells of it: the machine is gone. */
  vanish(): void {
    for (const [uid, resource] of this.#resources) {
      const fact: ProviderStopped = { _tag: "ProviderStopped", uid, resource: resource.name }
      this.#world.kernel.facts.tell(undefined, fact)
    }
    this.#resources.clear()
    this.#history.clear()
  }

  #asked(node: SimNode, call: ProviderAsked["call"], uid: string, act: () => void): Effect.Effect<void, ProviderError> {
    return Effect.suspend(() => {
      if (this.#host === undefined) node.tell<ProviderAsked>({ _tag: "ProviderAsked", call, uid })
      return this.#call(node, call, uid, act)
    })
  }

  /** The request travels, takes effect, and its answer travels back; each leg may be lost. */
  #call<A>(node: SimNode, call: Call, uid: string, act: (nth: number) => A): Effect.Effect<A, ProviderError> {
    return Effect.callback((resume) => {
      const subject = `${node.name}/${call}/${uid}`
      const nth = this.#count(subject)
      const { hazards } = this.#world
      const fail = (reason: ProviderError["reason"]) => Effect.fail(new ProviderError({ call, reason }))
      node.waits(`the provider's answer to ${call} ${uid}`)
      const travel = (leg: string) =>
        this.#between(`latency/${subject}/${leg}`, nth, latencyMicrosMin, latencyMicrosMax)
      const reply = node.wayBack()
      const answer = (effect: Effect.Effect<A, ProviderError>) => reply(travel("answer"), () => resume(effect))
      if (hazards.hit("controlled/provider-unavailable", subject, nth) !== undefined) {
        answer(fail(new ProviderUnavailable({ detail: "connection refused" })))
        return
      }
      if (hazards.hit("controlled/provider-throttled", subject, nth) !== undefined) {
        answer(fail(new Throttled({ retryAfterMillis: 1_000 })))
        return
      }
      this.#world.kernel.schedule(
        travel("request"),
        () => {
          const done = act(nth)
          if (hazards.hit("controlled/provider-unknown-outcome", subject, nth) === undefined)
            answer(Effect.succeed(done))
          else answer(fail(new UnknownEffect({})))
        },
        undefined
      )
    })
  }

  #start(uid: string, { image, size }: Spec): void {
    const present = this.#resources.get(uid)
    if (present !== undefined) {
      // Asked for again, it is found again, as it is.
      if (present.isForgotten) {
        present.isForgotten = false
        this.#remember(uid, present.state)
      }
      return
    }
    const nth = this.#created++
    const { hazards } = this.#world
    if (hazards.hit("controlled/false-success", uid, nth) !== undefined) return
    const resource: Resource = {
      name: `${this.#host === undefined ? "" : `${this.#host}/`}resource-${nth}-${image}/${size}`,
      state: "Starting",
      isForgotten: false
    }
    this.#resources.set(uid, resource)
    this.#remember(uid, "Starting")
    const fact: ProviderStarted = { _tag: "ProviderStarted", uid, resource: resource.name }
    this.#world.kernel.facts.tell(undefined, fact)
    if (hazards.hit("controlled/provider-half-finish", uid, nth) !== undefined) {
      this.#later(uid, resource, giveUpMicros, () => {
        if (resource.state === "Starting") this.#become(uid, resource, "Failed")
      })
      return
    }
    const lag = this.#lag(`start/${uid}`, nth)
    this.#later(uid, resource, lag + this.#between("start", nth, startMicrosMin, startMicrosMax), () => {
      if (resource.state !== "Starting") return
      if (this.#poisoned.has(image)) return this.#become(uid, resource, "Failed")
      this.#become(uid, resource, "Running")
      if (hazards.strike("controlled/died-after-healthy", uid, nth) === undefined) return
      this.#later(uid, resource, this.#between("life", nth, 1, lifeMicrosMax), () => {
        // Healed means healed: nothing dies any more.
        if (resource.state !== "Running" || !hazards.isActive("controlled/died-after-healthy")) return
        this.#world.kernel.facts.effect("controlled/died-after-healthy")
        this.#become(uid, resource, "Failed")
      })
    })
  }

  #stop(uid: string): void {
    const resource = this.#resources.get(uid)
    if (resource === undefined || resource.state === "Stopping") return
    if (this.#world.hazards.hit("controlled/forgotten-stop", uid, this.#count(`forgotten/${uid}`)) !== undefined) {
      resource.isForgotten = true
      this.#remember(uid, "Absent")
      return
    }
    resource.isForgotten = false
    this.#become(uid, resource, "Stopping")
    const nth = this.#created
    const lag = this.#lag(`stop/${uid}`, nth)
    this.#later(uid, resource, lag + this.#between(`stop/${uid}`, nth, stopMicrosMin, stopMicrosMax), () => {
      this.#resources.delete(uid)
      this.#remember(uid, "Absent")
      const fact: ProviderStopped = { _tag: "ProviderStopped", uid, resource: resource.name }
      this.#world.kernel.facts.tell(undefined, fact)
    })
  }

  #observe(uid: string, nth: number): Observed {
    const observation = this.#observation(uid, nth)
    const resource = this.#resources.get(uid)
    // Its name tells it from any other, so that what is said of it is found again.
    return observation === "Failed" && resource !== undefined
      ? { observation, cause: `exited with code 1: ${resource.name}` }
      : { observation }
  }

  #observation(uid: string, nth: number): Observation {
    const resource = this.#resources.get(uid)
    const present = resource === undefined || resource.isForgotten ? "Absent" : resource.state
    const { hazards } = this.#world
    if (hazards.strike("controlled/provider-lag", `observe/${uid}`, nth) === undefined) return present
    const asOfMicros =
      this.#world.nowMicros - hazards.fraction("controlled/provider-lag", `observe/${uid}`, nth) * lagMicrosMax
    const past = (this.#history.get(uid) ?? []).findLast(({ atMicros }) => atMicros <= asOfMicros)
    const observation = past?.observation ?? "Absent"
    if (observation !== present) this.#world.kernel.facts.effect("controlled/provider-lag")
    return observation
  }

  #become(uid: string, resource: Resource, state: Resource["state"]): void {
    resource.state = state
    if (!resource.isForgotten) this.#remember(uid, state)
  }

  #remember(uid: string, observation: Observation): void {
    const past = this.#history.get(uid) ?? []
    past.push({ atMicros: this.#world.nowMicros, observation })
    this.#history.set(uid, past)
  }

  #later(uid: string, resource: Resource, delayMicros: number, act: () => void): void {
    this.#world.kernel.schedule(
      delayMicros,
      () => {
        if (this.#resources.get(uid) === resource) act()
      },
      undefined
    )
  }

  /** How often it was asked before. */
  #count(subject: string): number {
    const nth = this.#calls.get(subject) ?? 0
    this.#calls.set(subject, nth + 1)
    return nth
  }

  #lag(subject: string, nth: number): number {
    const { hazards } = this.#world
    if (hazards.hit("controlled/provider-lag", subject, nth) === undefined) return 0
    return hazards.fraction("controlled/provider-lag", subject, nth) * lagMicrosMax
  }

  #between(name: string, nth: number, minimum: number, maximum: number): number {
    return Chance.integer(Chance.derive(this.#key, name), nth, minimum, maximum)
  }
}
