/**
 * The world of one run: kernel, network, hazards, the nodes with their tags, and what was counted. A scenario builds in
 * it, the nemesis acts on it, a plain test steers it.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { Mark } from "../../core/facts/Mark.ts"
import { causeOf } from "../host/causeOf.ts"
import * as OwnTurn from "../host/ownTurn.ts"
import * as Trap from "../host/Trap.ts"
import * as Chance from "../kernel/Chance.ts"
import type { Digest } from "../kernel/Digest.ts"
import { Kernel, type Limits } from "../kernel/Kernel.ts"
import { epochMicros, type NodeClock } from "../kernel/NodeClock.ts"
import * as NodeServices from "../kernel/NodeServices.ts"
import * as Schedule from "../kernel/Schedule.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { Draw } from "../nemesis/Draw.ts"
import { fromMicros, toMicros } from "../nemesis/FaultPlan.ts"
import { Hazards } from "../nemesis/Hazards.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import { OwnRequestIds } from "../network/ownRequestIds.ts"
import { calmLatency, Network } from "../network/Network.ts"
import { type Databases, model } from "../storage/Databases.ts"
import type { MarkCount } from "./Verdict.ts"

/** The first thing that ended the run early; the verdict is made of it. */
export type Ending =
  | {
      readonly _tag: "violated"
      readonly invariant: string
      readonly message: string
      readonly evidence: Readonly<Record<string, unknown>>
      readonly factId: number
      /** Of what shows it: not later than where it was found. */
      readonly atMicros: number
    }
  | { readonly _tag: "crashed"; readonly node: string; readonly cause: string }
  | { readonly _tag: "escaped"; readonly api: string; readonly remedy: string; readonly stack: string }

/** What happens when a node's program ends by itself. */
export type OnExit =
  /** Success is fine; a failure ends the run as crashed. */
  | { readonly _tag: "Fail" }
  /** As under a supervisor: started again after the delay. */
  | { readonly _tag: "Restart"; readonly afterMicros: number }

export interface WorldNodeOptions {
  /** Groups for selectors: `random(control-plane)`. */
  readonly tags?: ReadonlyArray<string>
  /** Default: fail. */
  readonly onExit?: OnExit
  /** The run stalls when this program has not ended by its end, or nothing can happen any more. */
  readonly mustEnd?: boolean
  /** Its tasks run in the order in which they became runnable, whatever the strategy of the run. */
  readonly isInOrder?: boolean
}

export interface WorldOptions {
  readonly seed: Chance.Seed
  /** Default: random. */
  readonly strategy?: Schedule.Strategy
  readonly isTracking?: boolean
  /** Redraws schedules, latencies and what programs draw, and nothing else. */
  readonly noise?: number
  /** Every message takes as long as every other. */
  readonly isCalm?: boolean
  /** Default: the model. */
  readonly databases?: Databases
  readonly limits?: Limits
  /** Programs use promises, time, chance and timers of the host: as those of the node that runs. Default: they are refused. */
  readonly isAsync?: boolean
  /** Another one in place of the usual: for measuring what it costs. */
  readonly digest?: Digest
  /** The operations of the workload that are carried out. Default: all. */
  readonly operations?: ReadonlyArray<string>
}

interface Selector {
  readonly select: (argument: string) => string | undefined
  readonly known: ReadonlyArray<string> | undefined
}

export class World {
  readonly kernel: Kernel
  readonly network: Network
  readonly hazards: Hazards
  /** What the scenario draws from: topology, workload, plan. */
  readonly draw: Draw
  readonly marks = new Map<string, MarkCount>()
  ending: Ending | undefined
  readonly isTracking: boolean
  readonly isAsync: boolean
  /** What scenarios build their database with. */
  readonly databases: Databases
  readonly #operations = new Set<string>()
  readonly #kept: ReadonlySet<string> | undefined
  readonly #strategy: Schedule.Strategy
  /** What packages draw that may read chance of the host. */
  readonly #hostChance: ReturnType<typeof Chance.generator>
  #fibers = 0
  readonly #tags = new Map<string, ReadonlyArray<string>>()
  readonly #onExits = new Map<string, OnExit>()
  /** What programs draw that use promises: a stream for each incarnation. */
  readonly #ownChance = new Map<SimNode, { readonly incarnation: number; readonly draw: () => number }>()
  readonly #mustEnd = new Set<string>()
  readonly #ended = new Set<string>()
  readonly #requestIds = new OwnRequestIds()
  readonly #healers: Array<() => void> = []
  readonly #selectors = new Map<string, Selector>()
  readonly #visitors: Array<(node: SimNode, point: string) => NodeServices.FaultPointVerdict | undefined> = []

  constructor(options: WorldOptions) {
    this.isAsync = options.isAsync ?? false
    this.kernel = new Kernel({
      seed: options.seed,
      ...(this.isAsync ? { settle: OwnTurn.settle } : {}),
      ...(options.noise === undefined ? {} : { noise: options.noise }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.digest === undefined ? {} : { digest: options.digest })
    })
    this.hazards = new Hazards(this.kernel.facts, Chance.derive(this.kernel.key, "hazards"))
    this.network = new Network(this.kernel, this.hazards)
    if (options.isCalm === true) this.network.latency = calmLatency
    this.#hostChance = Chance.generator(Chance.derive(this.kernel.key, "host"))
    this.draw = new Draw(Chance.derive(this.kernel.key, "scenario"))
    this.isTracking = options.isTracking ?? false
    this.databases = options.databases ?? model
    this.#strategy = options.strategy ?? Schedule.random
    this.#kept = options.operations === undefined ? undefined : new Set(options.operations)
  }

  get nowMicros(): number {
    return this.kernel.nowMicros
  }

  /**
   * Registers a node; `start` it when its time has come. The program finds simulated ports (HttpServer, HttpClient,
   * sockets, storage) through the layers of `sim/network` and `sim/storage`.
   */
  addNode<E>(name: string, program: Effect.Effect<unknown, E, SimNode>, options: WorldNodeOptions = {}): SimNode {
    const onExit = options.onExit ?? { _tag: "Fail" }
    const node = this.kernel.addNode(name, {
      program,
      strategy: this.#strategy,
      isTracking: this.isTracking,
      isInOrder: options.isInOrder ?? false,
      services: (incarnation) => this.#services(incarnation),
      onExit: (exited, exit) => this.#exited(exited, exit, onExit)
    })
    this.network.addHost(node)
    this.#tags.set(name, options.tags ?? [])
    this.#onExits.set(name, onExit)
    if (options.mustEnd === true) this.#mustEnd.add(name)
    return node
  }

  /** Dies when there is no such node: a scenario names what it built. */
  node(name: string): SimNode {
    const node = this.kernel.findNode(name)
    if (node === undefined) throw new Error(`there is no node named ${name}`)
    return node
  }

  /** Names of the nodes with the tag, in order of registration; of all nodes without one. */
  tagged(tag?: string): ReadonlyArray<string> {
    const names = [...this.#tags]
    return (tag === undefined ? names : names.filter(([, tags]) => tags.includes(tag))).map(([name]) => name)
  }

  hasTag(name: string, tag: string): boolean {
    return this.#tags.get(name)?.includes(tag) ?? false
  }

  /** Every node that has not retired, with its tags. */
  get nodes(): Readonly<Record<string, ReadonlyArray<string>>> {
    return Object.fromEntries(this.#tags)
  }

  /** Every tag that some node carries. */
  get tags(): ReadonlyArray<string> {
    return [...new Set([...this.#tags.values()].flat())]
  }

  /**
   * A selector for plans: `leaderOf(leader)` calls the one named leaderOf with "leader". A function of facts only. With
   * `known`, plans that give it another argument are refused.
   */
  addSelector(name: string, select: Selector["select"], known?: ReadonlyArray<string>): void {
    this.#selectors.set(name, { select, known })
  }

  selector(name: string): Selector["select"] | undefined {
    return this.#selectors.get(name)?.select
  }

  /** What the selector may be given; undefined when anything goes. */
  selectorArguments(name: string): ReadonlyArray<string> | undefined {
    return this.#selectors.get(name)?.known
  }

  get selectorNames(): ReadonlyArray<string> {
    return [...this.#selectors.keys()]
  }

  /**
   * Whether the workload is to do this: a scenario asks before each operation of its clients, by a name that no other has and
   * that does not depend on what came before ("client-1#3"). A request may leave operations out; those left in must not change
   * by that, so each draws from `draw.child(name)`.
   */
  operation(name: string): boolean {
    if (this.#kept !== undefined && !this.#kept.has(name)) return false
    this.#operations.add(name)
    return true
  }

  /** The operations that were carried out, in order; what a client that was started again does once more, once. */
  get operations(): ReadonlyArray<string> {
    return [...this.#operations]
  }

  /** Called at every fault point; the first verdict given counts. */
  addVisitor(visit: (node: SimNode, point: string) => NodeServices.FaultPointVerdict | undefined): () => void {
    this.#visitors.push(visit)
    return () => {
      const index = this.#visitors.indexOf(visit)
      if (index >= 0) this.#visitors.splice(index, 1)
    }
  }

  /** Called when every fault is healed, for parts of the world that a scenario disturbs by itself. */
  onHeal(heal: () => void): void {
    this.#healers.push(heal)
  }

  heal(): void {
    for (const heal of this.#healers) heal()
  }

  /**
   * Does something with the host's time, chance, I/O and promises out of reach: whoever uses them nevertheless ends the run
   * as escaped. Whatever advances the world does it in here; nests.
   */
  trapped<A>(body: () => A): A {
    if (this.isAsync) OwnTurn.requireOwnTurn()
    const clock = () => (this.kernel.running ?? [...this.kernel.nodes][0])?.clock
    const trap = Trap.enter({
      wallMicros: () => this.#wallMicros(clock()),
      monotonicMicros: () => clock()?.monotonicMicros() ?? 0,
      fraction: () => this.#fraction(),
      fiberId: () => ++this.#fibers,
      timer: (millis, run) => this.#timer(millis, run),
      ...(this.isAsync ? { programs: this.#programs } : {}),
      onEscape: ({ api, frames, remedy }) => this.escape({ api, remedy, stack: frames.join("\n") })
    })
    const shareRequestIds = this.#requestIds.enter()
    try {
      return body()
    } finally {
      // What is left of a run that ended in the middle must not act on the host.
      if (this.isAsync) OwnTurn.settle()
      shareRequestIds()
      trap.leave()
    }
  }

  /**
   * Lets so much virtual time pass. Throws when an invariant breaks, a program fails or leaves the simulation, or nothing can
   * go on although somebody must end: no timer, no message, and nothing that was done by hand (a rule, a pause, a crash)
   * could be undone.
   */
  run(forText: string): void {
    this.#advance(this.nowMicros + toMicros(forText))
  }

  /** Runs until a fact meets the test, and returns it. Throws with the last facts when none did in time. */
  runUntil(test: (envelope: Envelope) => boolean, options: { readonly within: string }): Envelope {
    const recent: Array<Envelope> = []
    let found: Envelope | undefined
    const unsubscribe = this.kernel.facts.subscribeDetailed((envelope) => {
      if (found !== undefined) return
      recent.push(envelope)
      if (recent.length > 20) recent.shift()
      if (!test(envelope)) return
      found = envelope
      this.kernel.halt()
    })
    const untilMicros = this.nowMicros + toMicros(options.within)
    try {
      this.#advance(untilMicros)
    } finally {
      unsubscribe()
    }
    if (found !== undefined) return found
    const lines = recent.map(({ atMicros, fact, node }) => `${fromMicros(atMicros)} ${node} ${JSON.stringify(fact)}`)
    throw new Error([`no such fact within ${options.within}; the last were:`, ...lines].join("\n  "))
  }

  /** Hears what core and the store say. */
  subscribe(subscriber: (envelope: Envelope) => void): () => void {
    return this.kernel.facts.subscribe(subscriber)
  }

  /** Ends the run as violated, unless it has ended already. */
  violate(violation: Omit<Extract<Ending, { _tag: "violated" }>, "_tag">): void {
    this.#end({ _tag: "violated", ...violation })
  }

  /** Ends the run as crashed, unless it has ended already. */
  crash(crashed: Omit<Extract<Ending, { _tag: "crashed" }>, "_tag">): void {
    this.#end({ _tag: "crashed", ...crashed })
  }

  /** Ends the run because the program used the host; whatever else ended it was a consequence. */
  escape(escaped: Omit<Extract<Ending, { _tag: "escaped" }>, "_tag">): void {
    if (this.ending?._tag !== "escaped") this.ending = { _tag: "escaped", ...escaped }
    this.kernel.halt()
  }

  mark(mark: Mark, holds: boolean): void {
    const before = this.marks.get(mark.name) ?? { kind: mark.kind, visits: 0, holds: 0 }
    this.marks.set(mark.name, { ...before, visits: before.visits + 1, holds: before.holds + (holds ? 1 : 0) })
    if (mark.kind === "unreachable" || (mark.kind === "always" && !holds)) {
      this.violate({
        invariant: `mark: ${mark.name}`,
        message:
          mark.kind === "always" ? "a condition that must always hold did not" : "a place was reached that must not be",
        evidence: {},
        factId: this.kernel.facts.count,
        atMicros: this.nowMicros
      })
    }
  }

  /** The node dies and is never started again. */
  retire(name: string): void {
    this.#ended.add(name)
    this.#tags.delete(name)
    this.node(name).retire()
  }

  /** Nodes that had to end and have not. */
  get unended(): ReadonlyArray<string> {
    return [...this.#mustEnd].filter((name) => !this.#ended.has(name))
  }

  #advance(untilMicros: number): void {
    const stopped = this.trapped(() => this.kernel.run(untilMicros))
    if (this.ending?._tag === "violated") {
      throw new Error(`${this.ending.invariant}: ${this.ending.message} ${JSON.stringify(this.ending.evidence)}`)
    }
    if (this.ending?._tag === "escaped") {
      throw new Trap.Escaped(this.ending.api, this.ending.remedy, this.ending.stack.split("\n"))
    }
    if (this.ending !== undefined) throw new Error(`${this.ending.node} crashed: ${this.ending.cause}`)
    if (stopped._tag === "Livelock") throw new Error(`livelock: the fibers of ${stopped.node} wake each other`)
    if (stopped._tag === "StepLimit") throw new Error("the bound on steps was reached")
    if (stopped._tag === "Quiescent" && this.unended.length > 0 && !this.#isDisturbed()) {
      throw new Error(`deadlock: nothing can happen any more, and ${this.unended.join(", ")} did not end`)
    }
  }

  /** Whether something is in force that whoever steers may undo. */
  #isDisturbed(): boolean {
    return (
      this.network.hasRules ||
      [...this.kernel.nodes].some(({ name, state }) => state !== "up" && !this.#ended.has(name))
    )
  }

  /** For packages that set timers of the host: one of the running node. */
  #timer(millis: number, run: () => void): () => void {
    const node = this.kernel.running
    if (node === undefined) throw new Error("a timer of the host outside of every node")
    if (this.isAsync && node.state === "down") return () => undefined
    const timer = node.setTimer(node.clock.worldDelayMicros(Math.max(0, millis) * 1_000), run)
    return () => {
      timer.cancelled = true
    }
  }

  #wallMicros(clock: NodeClock | undefined): number {
    if (this.isAsync && this.kernel.running !== undefined) clock?.usedWall(clock.settings)
    return clock?.wallMicros() ?? epochMicros
  }

  #fraction(): number {
    const node = this.isAsync ? this.kernel.running : undefined
    if (node === undefined) return this.#hostChance.double()
    const present = this.#ownChance.get(node)
    if (present?.incarnation === node.incarnation) return present.draw()
    const stream = Chance.generator(Chance.derive(node.incarnationKey, "host"))
    this.#ownChance.set(node, { incarnation: node.incarnation, draw: () => stream.double() })
    return stream.double()
  }

  readonly #programs: Trap.Programs = {
    isRunning: () => this.kernel.running !== undefined,
    task: (run) => this.kernel.running?.enqueue(run, undefined),
    uncaught: (error) => this.#uncaught(error)
  }

  /** What ends a process of Node: the program of the running node threw where nobody could catch it. */
  #uncaught(error: unknown): void {
    if (error instanceof Trap.Escaped) return
    const node = this.kernel.running
    if (node === undefined) return this.crash({ node: "the scenario", cause: causeOf(error) })
    if (node.state === "down") return
    const [reason] = (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).split("\n")
    node.crash(`uncaught ${reason}`)
    const onExit = this.#onExits.get(node.name)
    if (onExit?._tag === "Restart") this.kernel.schedule(onExit.afterMicros, () => node.revive(), undefined)
    else this.#end({ _tag: "crashed", node: node.name, cause: causeOf(error) })
  }

  #services(node: SimNode): Context.Context<never> {
    const services = NodeServices.make(node, {
      mark: (mark, holds) => this.mark(mark, holds),
      visit: (visited, point) => {
        for (const visit of this.#visitors) {
          const verdict = visit(visited, point)
          if (verdict !== undefined) return verdict
        }
        return { _tag: "Pass" }
      }
    })
    return Context.add(services, CurrentNetwork, this.network)
  }

  #exited(node: SimNode, exit: Exit.Exit<unknown, unknown>, onExit: OnExit): void {
    if (Exit.isSuccess(exit)) this.#ended.add(node.name)
    if (onExit._tag === "Restart") {
      this.kernel.schedule(onExit.afterMicros, () => node.revive(), undefined)
    } else if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
      this.#end({ _tag: "crashed", node: node.name, cause: Cause.pretty(exit.cause) })
    }
  }

  #end(ending: Ending): void {
    this.ending ??= ending
    this.kernel.halt()
  }
}
