/**
 * The references that every incarnation starts with: scheduler, clock, chance, spans, logs, and the listeners of core's
 * facts, fault points and marks.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as WebCrypto from "effect/crypto/WebCrypto"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import type * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Tracer from "effect/Tracer"
import { type DomainFact, Facts } from "../../core/facts/Facts.ts"
import { FaultPoints } from "../../core/facts/FaultPoint.ts"
import { Marks, type Recorder } from "../../core/facts/Mark.ts"
import * as Chance from "./Chance.ts"
import { FactKind } from "./FactStream.ts"
import type { SimNode } from "./SimNode.ts"

/** What a plan makes of a fault point: nothing, a delay, a failure (a defect in the fiber) or the end of the node. */
export type FaultPointVerdict =
  | { readonly _tag: "Pass" }
  | { readonly _tag: "Delay"; readonly micros: number }
  | { readonly _tag: "Fail" }
  | { readonly _tag: "Crash" }

export interface World {
  readonly mark: Recorder
  readonly visit: (node: SimNode, point: string) => FaultPointVerdict
}

/** Thrown into the fiber by a plan at a fault point. */
export class InjectedFailure extends Error {
  override readonly name = "InjectedFailure"
}

export const make = (node: SimNode, world: World): Context.Context<never> => {
  const stream = Chance.generator(Chance.derive(node.incarnationKey, "random"))
  const random = {
    nextIntUnsafe: () => {
      node.portCall()
      return Math.floor((stream.double() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
    },
    nextDoubleUnsafe: () => {
      node.portCall()
      return stream.double()
    }
  }
  return Context.empty().pipe(
    Context.add(Scheduler.Scheduler, node.scheduler),
    Context.add(Clock.Clock, node.clock),
    Context.add(Random.Random, random),
    Context.add(
      WebCrypto.WebCrypto,
      makeCrypto(() => stream.int32())
    ),
    Context.add(Tracer.Tracer, makeTracer(node)),
    Context.add(Logger.CurrentLoggers, new Set([makeLogger(node)])),
    Context.add(Metric.MetricRegistry, node.metrics),
    Context.add(Facts, (fact: DomainFact) => {
      node.portCall()
      node.tell(fact)
    }),
    Context.add(Marks, (mark, holds) => {
      node.portCall()
      world.mark(mark, holds)
    }),
    Context.add(FaultPoints, (point: string) =>
      Effect.suspend(() => {
        node.portCall()
        return suffer(node, point, world.visit(node, point))
      })
    )
  ) as Context.Context<never>
}

function suffer(node: SimNode, point: string, verdict: FaultPointVerdict): Effect.Effect<void> {
  switch (verdict._tag) {
    case "Pass":
      return Effect.void
    case "Delay":
      return Effect.callback<void>((resume) => {
        const event = node.setTimer(verdict.micros, () => resume(Effect.void))
        return Effect.sync(() => {
          event.cancelled = true
        })
      })
    case "Fail":
      return Effect.die(new InjectedFailure(`injected failure at ${point}`))
    case "Crash":
      node.crash(`crash at ${point}`)
      return Effect.never
  }
}

const spanStarted = new FactKind<SimSpan>(
  "SpanStarted",
  (span, parent, payload) => ({ _tag: "SpanStarted", span, parent, name: payload.name }) as DomainFact,
  ({ name }) => name
)

const spanEnded = new FactKind<SimSpan>(
  "SpanEnded",
  (span, ok, payload) => ({ _tag: "SpanEnded", span, ok: ok === 1, name: payload.name }) as DomainFact
)

interface LogLine {
  readonly level: string
  readonly message: unknown
  readonly cause: Cause.Cause<unknown>
}

/** The cause is no part of the digest: it may hold a stack, and so the path of a checkout. */
const logged = new FactKind<LogLine>(
  "Logged",
  (_first, _second, line) =>
    ({
      _tag: "Logged",
      level: line.level,
      message: messageOf(line),
      ...(line.cause.reasons.length === 0 ? {} : { cause: Cause.pretty(line.cause) })
    }) as DomainFact,
  (line) => `${line.level} ${messageOf(line)}`
)

function messageOf({ message }: LogLine): string {
  return (Array.isArray(message) ? message : [message]).map(show).join(" ")
}

class SimSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly annotations: Context.Context<never>
  readonly sampled: boolean
  readonly kind: Tracer.SpanKind
  readonly attributes = new Map<string, unknown>()
  links: Array<Tracer.SpanLink>
  status: Tracer.SpanStatus
  readonly #node: SimNode
  readonly #number: number

  constructor(node: SimNode, number: number, options: Parameters<Tracer.Tracer["span"]>[0]) {
    const parent = options.parent._tag === "Some" ? options.parent.value : undefined
    this.#node = node
    this.#number = number
    this.name = options.name
    this.parent = options.parent
    this.annotations = options.annotations
    this.links = options.links
    this.sampled = options.sampled
    this.kind = options.kind
    // Ids of W3C shape, unique in the run: node, incarnation and a count instead of chance.
    this.spanId =
      (node.index + 1).toString(16).padStart(4, "0") +
      node.incarnation.toString(16).padStart(4, "0") +
      number.toString(16).padStart(8, "0")
    this.traceId = parent?.traceId ?? this.spanId.padStart(32, "0")
    this.status = { _tag: "Started", startTime: options.startTime }
    node.host.facts.emit(spanStarted, node, number, 0, this)
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
    // A span of an earlier incarnation may be closed by nobody, and speaks no more.
    if (this.#node.state !== "down") {
      this.#node.host.facts.emit(spanEnded, this.#node, this.#number, Exit.isSuccess(exit) ? 1 : 0, this)
    }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }

  event(): void {
    return
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
  }
}

function makeTracer(node: SimNode): Tracer.Tracer {
  let count = 0
  const { watch } = node
  return Tracer.make({
    span: (options) => new SimSpan(node, count++, options),
    ...(watch === undefined ? {} : { context: watch.evaluate })
  })
}

function makeLogger(node: SimNode): Logger.Logger<unknown, void> {
  return Logger.make(({ cause, logLevel, message }) => {
    node.host.facts.emit(logged, node, 0, 0, { level: logLevel, message, cause })
  })
}

type Crypto = typeof WebCrypto.WebCrypto.Service

/** The synchronous half of WebCrypto; its digests and keys are promises of the host and refused. */
function makeCrypto(word: () => number): Crypto {
  const getRandomValues = <T extends ArrayBufferView>(array: T): T => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    for (let index = 0; index < bytes.length; index++) bytes[index] = word()
    return array
  }
  const refuse = (): never => {
    throw new Error("WebCrypto.subtle answers through a promise of the host; hash with @noble/hashes in a simulation")
  }
  return {
    getRandomValues,
    randomUUID: () => {
      const bytes = getRandomValues(new Uint8Array(16))
      bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
      bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
      const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
      return [
        digits.slice(0, 8),
        digits.slice(8, 12),
        digits.slice(12, 16),
        digits.slice(16, 20),
        digits.slice(20)
      ].join("-") as ReturnType<Crypto["randomUUID"]>
    },
    get subtle(): Crypto["subtle"] {
      return refuse()
    }
  }
}

function show(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value))
}
