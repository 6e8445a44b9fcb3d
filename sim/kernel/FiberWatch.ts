/**
 * Who waits for what: watches the fibers of one incarnation while a stall is explained.
 *
 * - W1 Watching changes no step: each operation is evaluated as Effect would evaluate it, and only the last of each fiber is
 *   remembered. A fiber that has stopped waits for what its last operation asked for.
 * - W2 Nothing that differs between two runs is said: fibers are named by label, span or function, never by their ids.
 * Absent on purpose: which deferred, queue or semaphore it is. They have no names, and nothing leads from a waiter to them.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Scheduler from "effect/Scheduler"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import { Label } from "../../core/facts/Label.ts"

/**
 * Where that lies which a fiber waits for: outside its node (an answer, a byte), with another fiber of its node, in another
 * fiber's end, in its turn to run, in time, or nowhere.
 */
export type WaitsOn = "outside" | "inside" | "end" | "turn" | "time" | "nothing"

export interface WaitingFiber {
  /** "lease/renew", "http.client POST", "main". */
  readonly fiber: string
  readonly waitsFor: string
  readonly on: WaitsOn
  /** Virtual time. */
  readonly sinceMicros: number
}

type AnyFiber = Fiber.Fiber<unknown, unknown>
type What = Pick<WaitingFiber, "waitsFor" | "on">
type Evaluate = NonNullable<Tracer.Tracer["context"]>

/** The last operation of a fiber, and what is known of it. */
interface Last {
  atMicros: number
  /** Of an operation that waits until it is called back: what registered for that. */
  register: unknown
  /** What the port said that was called. */
  said: What | undefined
  /** The fibers whose end it asked to be told. */
  awaited: Array<AnyFiber>
}

export class FiberWatch {
  readonly #nowMicros: () => number
  /** In order of their start. */
  readonly #fibers = new Map<AnyFiber, Last>()

  constructor(nowMicros: () => number) {
    this.#nowMicros = nowMicros
  }

  /** Stands where Effect evaluates an operation of a fiber: the tracer's hook. */
  readonly evaluate: Evaluate = (operation, fiber) => {
    const last = this.see(fiber)
    last.atMicros = this.#nowMicros()
    last.register = (operation as { readonly register?: unknown }).register
    last.said = undefined
    last.awaited = []
    if (last.register === undefined) return operation["~effect/Effect/evaluate"](fiber)
    return tellingWhoIsObserved(fiber, last.awaited, () => operation["~effect/Effect/evaluate"](fiber))
  }

  /** A fiber has something to do; also one under a tracer of its own, of which no more is known than that it is there. */
  see(fiber: AnyFiber): Last {
    const known = this.#fibers.get(fiber)
    if (known !== undefined) return known
    const last: Last = { atMicros: this.#nowMicros(), register: undefined, said: undefined, awaited: [] }
    this.#fibers.set(fiber, last)
    fiber.addObserver(() => this.#fibers.delete(fiber))
    return last
  }

  /** Says what the running fiber's present operation waits for. */
  says(what: What): void {
    const fiber = Fiber.getCurrent()
    if (fiber !== undefined) this.see(fiber).said = what
  }

  /**
   * The fibers that have not ended. Those that only wait for fibers of the same name or label, which are there themselves, are
   * left out: a race, a timeout.
   */
  waiting(): ReadonlyArray<WaitingFiber> {
    const known = samples()
    return [...this.#fibers].flatMap(([fiber, last]) => {
      const awaited = last.awaited.filter((other) => other.pollUnsafe() === undefined)
      if (awaited.length > 0 && awaited.every((other) => isPartOf(other, fiber))) return []
      const names = [...new Set(awaited.map(nameOf))].join(", ")
      const what: What =
        last.said ?? (names === "" ? describe(last, known) : { waitsFor: `the end of ${names}`, on: "end" })
      return [{ fiber: nameOf(fiber), ...what, sinceMicros: last.atMicros }]
    })
  }
}

/** A program that names nothing is one fiber to the reader, whatever it forks. */
function nameOf(fiber: AnyFiber): string {
  // Fibers of Effect before 4.0.0 have no cache, and are named by their labels.
  const { span, stackFrame }: Partial<Fiber.Fiber.Cache> = fiber.cache ?? {}
  const label = fiber.getRef(Label)
  const spanName = span?._tag === "Span" ? span.name : ""
  if (label !== "" && spanName !== "") return `${label}, ${spanName}`
  return label || spanName || (stackFrame?.name ?? "main")
}

function isPartOf(part: AnyFiber, whole: AnyFiber): boolean {
  const label = part.getRef(Label)
  return (label !== "" && label === whole.getRef(Label)) || nameOf(part) === nameOf(whole)
}

function describe({ register }: Last, known: ReadonlyMap<string, What>): What {
  if (register === undefined) return { waitsFor: "its turn to run", on: "turn" }
  if (register === registerOfNever) return { waitsFor: "nothing: it never ends", on: "nothing" }
  return known.get(String(register)) ?? { waitsFor: "a call back", on: "inside" }
}

/** Runs `body`; whoever is observed by this fiber meanwhile is one whose end it waits for. */
function tellingWhoIsObserved<A>(fiber: AnyFiber, observed: Array<AnyFiber>, body: () => A): A {
  // Those observed may be fibers that nobody has seen yet, so it is their common prototype that has to tell; until `body` is done.
  const prototype = Object.getPrototypeOf(fiber) as Pick<AnyFiber, "addObserver">
  const { addObserver } = prototype
  const replacement: AnyFiber["addObserver"] = function (this: AnyFiber, observer) {
    if (Fiber.getCurrent() === fiber) observed.push(this)
    return addObserver.call(this, observer)
  }
  Object.assign(prototype, { addObserver: replacement })
  try {
    return body()
  } finally {
    Object.assign(prototype, { addObserver })
  }
}

const registerOfNever = (Effect.never as { readonly register?: unknown }).register

/**
 * How Effect's own primitives register, by the text of the function that does it: learnt by having each wait once, so that it is
 * that of the Effect at hand.
 */
function samples(): ReadonlyMap<string, What> {
  const inside: ReadonlyArray<readonly [string, Effect.Effect<unknown>]> = [
    ["a deferred", Effect.suspend(() => Deferred.await(Deferred.makeUnsafe()))],
    ["a latch", Effect.suspend(() => Latch.makeUnsafe(false).await)],
    ["a permit of a semaphore", Effect.suspend(() => Semaphore.makeUnsafe(0).take(1))],
    ["an offer to a queue", Effect.flatMap(Queue.unbounded(), Queue.take)],
    ["room in a queue", Effect.flatMap(Queue.bounded(1), (queue) => Queue.offerAll(queue, [1, 2]))],
    [
      "room in a queue",
      Effect.flatMap(Queue.bounded(1), (queue) => Effect.andThen(Queue.offer(queue, 1), Queue.offer(queue, 2)))
    ],
    ["the end of a queue", Effect.flatMap(Queue.unbounded(), Queue.await)],
    [
      "a message of a topic",
      Effect.scoped(Effect.flatMap(PubSub.unbounded(), (topic) => Effect.flatMap(PubSub.subscribe(topic), PubSub.take)))
    ]
  ]
  return new Map(inside.map(([waitsFor, waits]) => [lastRegisterOf(waits), { waitsFor, on: "inside" }]))
}

function lastRegisterOf(effect: Effect.Effect<unknown>): string {
  let register: unknown
  const tracer = Tracer.make({
    span: (options) => new Tracer.NativeSpan(options),
    context: (operation, fiber) => {
      register = (operation as { readonly register?: unknown }).register
      return operation["~effect/Effect/evaluate"](fiber)
    }
  })
  const context = Context.make(Tracer.Tracer, tracer).pipe(Context.add(Scheduler.Scheduler, idle))
  Effect.runForkWith(context)(effect)
  return String(register)
}

/** Runs what it is given until it waits, and nothing after that. */
const idle: Scheduler.Scheduler = {
  executionMode: "async",
  shouldYield: () => false,
  makeDispatcher: () => ({ scheduleTask: () => undefined, flush: () => undefined })
}
