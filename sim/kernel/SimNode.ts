/**
 * A simulated node: a boot recipe, and per incarnation a list of runnable tasks, a scheduler, a clock and a stream of
 * chance of its own.
 *
 * - N1 A task runs only through the runnable list, so a paused node runs nothing. What waits for a promise runs as part of the task
 *   that settled it, so that none is left when the node is paused or dies.
 * - N2 A crash discards tasks, timers and inputs and abandons the fibers: no finalizer runs, nobody is told.
 * - N3 A paused node wakes as Node.js does: queued tasks, then overdue timers by due time, then buffered inputs.
 * - N4 Nothing of one incarnation reaches the next: whatever was set or sent for it is dropped.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type * as Metric from "effect/Metric"
import type { ClockSet } from "../../core/facts/ClockSet.ts"
import { errorsOf } from "../../core/facts/errorsOf.ts"
import type { DomainFact } from "../../core/facts/Facts.ts"
import * as Chance from "./Chance.ts"
import type { OnChoicePoint } from "./ChoicePoint.ts"
import type { Departures } from "./Deviations.ts"
import type { Event } from "./EventHeap.ts"
import { FiberWatch, type WaitingFiber, type WaitsOn } from "./FiberWatch.ts"
import { FactKind, type FactStream } from "./FactStream.ts"
import { NodeClock } from "./NodeClock.ts"
import * as Schedule from "./Schedule.ts"

export type NodeState = "down" | "up" | "paused"

/** What a node needs of the world it lives in; the kernel is one. */
export interface NodeHost {
  readonly nowMicros: number
  readonly facts: FactStream
  readonly preemptions: Array<string>
  readonly onChoicePoint: OnChoicePoint | undefined
  /** The present run ends after this step. */
  readonly isHalted: boolean
  /** Runs what waits for promises, where programs use them. */
  readonly settle: (() => void) | undefined
  readonly schedule: (delayMicros: number, run: (argument: never) => void, argument: unknown, cause?: number) => Event
  /** The node has tasks to run at this instant. */
  readonly ready: (node: SimNode) => void
}

/** The program of a node, with everything it needs but what every node has (clock, chance, facts, logs, spans). */
export type Program = Effect.Effect<unknown, unknown, SimNode>

export interface NodeOptions {
  readonly program: Program
  readonly strategy: Schedule.Strategy
  /** References that each incarnation starts with. */
  readonly services: (node: SimNode) => Context.Context<never>
  /** Tasks run in the order in which they became runnable, whatever the strategy: as callbacks of a process do. Default: false. */
  readonly isInOrder?: boolean
  /** Watch the fibers and what they wait for, to explain a stall; changes no step. */
  readonly isTracking: boolean
  /** Told when the program ended by itself or was stopped; not on a crash. */
  readonly onExit: (node: SimNode, exit: Exit.Exit<unknown, unknown>) => void
}

/** The node that a program runs on; simulated ports find their node here. */
export const CurrentNode: Context.Service<SimNode, SimNode> = Context.Service<SimNode>("stormglass/sim/kernel/SimNode")

const timerSet = new FactKind("TimerSet", (delayMicros) => ({ _tag: "TimerSet", delayMicros }) as DomainFact)

type Task = (argument: never) => void
/** What waits for a paused node to resume. */
type Held = Pick<Event, "run" | "argument" | "cause" | "cancelled">
type AnyFiber = Fiber.Fiber<unknown, unknown>

export class SimNode {
  readonly name: string
  /** Position in order of registration. */
  readonly index: number
  readonly host: NodeHost
  readonly clock: NodeClock
  /** 0 before the first start, then counted up. */
  incarnation = 0
  state: NodeState = "down"
  /** True while queued at the kernel. */
  isReady = false
  /** Virtual time a task costs while the processor is slow. */
  taskMicros = 0
  /** Given to the fibers of this incarnation; a fiber of an earlier one that runs is a bug of the simulator (N4). */
  scheduler: Scheduler.Scheduler = this.#schedulerOf(0)

  /** What this incarnation waits for without a fiber of its own for each: asked while tracking. */
  waitsBesides: (() => ReadonlyArray<WaitingFiber>) | undefined

  readonly #options: NodeOptions
  readonly #key: Chance.Key
  // Runnable tasks from head to tail, in three lists so that a task costs no object. The lists keep their room: shrinking
  // them would have every burst of tasks grow them anew.
  #tasks: Array<Task> = []
  #arguments: Array<unknown> = []
  #causes: Array<number> = []
  #head = 0
  #tail = 0
  #heldTimers: Array<Held> = []
  #heldInputs: Array<Held> = []
  /** What a resumed node still has to take up, one after the other. */
  #overdue: Array<Held> = []
  #busyUntilMicros = 0
  #metrics: Metric.MetricRegistry = new Map()
  #main: AnyFiber | undefined
  #scheduleKey: Chance.Key = 0
  #scheduleCount = 0
  #preemptKey: Chance.Key = 0
  #changePoints: ReadonlyMap<number, number> = new Map()
  #portCallCount = 0
  #operationCount = 0
  #departures: Departures | undefined
  /** A port call after which no operation has begun. */
  #lastPortCall = -1
  #preemptNext = false
  #stallNextMicros = 0
  #isStopping = false
  /** Nothing revives it. */
  #isOver = false
  /** Starts again when it is down. */
  #isRevived = false
  /** Says that N4 was broken. */
  #undead: string | undefined
  #watch: FiberWatch | undefined
  /** When it was paused or went down. */
  #stateSinceMicros = 0

  constructor(host: NodeHost, name: string, index: number, key: Chance.Key, options: NodeOptions) {
    this.host = host
    this.name = name
    this.index = index
    this.#key = key
    this.#options = options
    this.clock = new NodeClock({
      worldMicros: () => host.nowMicros,
      setTimer: (delayMicros, wake) => {
        const event = this.setTimer(delayMicros, wake)
        return () => {
          event.cancelled = true
        }
      },
      read: () => this.portCall(),
      disturbed: (fault) => host.facts.effect(fault, this),
      waits: (millis) => this.#watch?.says({ waitsFor: `its timer of ${Math.round(millis)} ms`, on: "time" }),
      wasSet: (jumpMicros) => this.#tellClock(jumpMicros)
    })
  }

  /** The key of this incarnation, for chance that belongs to it. */
  get incarnationKey(): Chance.Key {
    return Chance.derive(this.#key, `incarnation/${this.incarnation}`)
  }

  /** The running program's fiber, if any. */
  get main(): AnyFiber | undefined {
    return this.#main
  }

  /** Sees every operation of this incarnation's fibers, while tracking. */
  get watch(): FiberWatch | undefined {
    return this.#watch
  }

  get runnableCount(): number {
    return this.#tail - this.#head
  }

  /** What this incarnation has measured: as a process of its own would have, it begins with nothing. */
  get metrics(): Metric.MetricRegistry {
    return this.#metrics
  }

  /** Begins a new incarnation; refused unless down. */
  start(): void {
    if (this.state !== "down") throw new Error(`node ${this.name} is ${this.state}, only a node that is down can start`)
    this.state = "up"
    this.#isOver = false
    this.incarnation++
    this.#metrics = new Map()
    this.#scheduleKey = Chance.derive(this.incarnationKey, "schedule")
    this.#preemptKey = Chance.derive(this.incarnationKey, "preempt")
    this.#changePoints = Schedule.changePointsOf(this.#options.strategy, this.#preemptKey)
    this.#scheduleCount = 0
    this.#portCallCount = 0
    this.#operationCount = 0
    this.#departures = this.#options.strategy.deviations?.get(`${this.name}/${this.incarnation}`)
    this.#lastPortCall = -1
    const cause = this.tell({ _tag: "NodeStarted" })
    this.#tellClock(0)
    this.scheduler = this.#schedulerOf(this.incarnation)
    if (this.#options.isTracking) this.#watch = new FiberWatch(() => this.host.nowMicros)
    const context = Context.add(this.#options.services(this), CurrentNode, this)
    const boot = () => {
      const fiber = Effect.runForkWith(context)(this.#options.program)
      this.#main = fiber
      fiber.addObserver((exit) => this.#exited(exit))
    }
    this.#push(boot, undefined, cause)
  }

  /** Interrupts the program; finalizers run. What has not ended by the deadline is crashed. */
  stop(deadlineMicros: number): void {
    if (this.state === "down") return
    const { incarnation } = this
    const cause = this.tell({ _tag: "NodeStopping" })
    this.#isStopping = true
    this.#push(() => this.#main?.interruptUnsafe(), undefined, cause)
    this.host.schedule(
      deadlineMicros,
      () => {
        if (this.incarnation === incarnation && this.state !== "down") this.crash("stop deadline passed")
      },
      undefined
    )
  }

  /**
   * What a supervisor does: starts the node if it is down, and if it is being stopped, as soon as it has ended. A program that
   * ended with success is done, and a node that was retired is gone.
   */
  revive(): void {
    if (this.#isOver) return
    if (this.state === "down") this.start()
    else this.#isRevived = this.#isStopping
  }

  /** Crashes for good: nothing revives it. */
  retire(): void {
    this.#isOver = true
    this.crash("retired")
  }

  crash(reason: string): void {
    if (this.state === "down") return
    this.tell({ _tag: "NodeCrashed", reason })
    this.#sever()
  }

  pause(): void {
    if (this.state !== "up") return
    this.state = "paused"
    this.#stateSinceMicros = this.host.nowMicros
    this.tell({ _tag: "NodePaused" })
  }

  resume(): void {
    if (this.state !== "paused") return
    this.state = "up"
    this.tell({ _tag: "NodeResumed" })
    if (this.runnableCount + this.#heldTimers.length + this.#heldInputs.length > 0) {
      this.host.facts.effect("process/pause", this)
    }
    this.#overdue = [...this.#heldTimers, ...this.#heldInputs]
    this.#heldTimers = []
    this.#heldInputs = []
    this.announce()
  }

  /** Tells the host that there is something to run, if there is. */
  announce(): void {
    if (this.isReady || this.state !== "up" || this.runnableCount + this.#overdue.length === 0) return
    this.isReady = true
    this.host.ready(this)
  }

  /** Makes a task runnable. The only way by which a fiber of this node resumes. */
  enqueue(run: Task, argument: unknown): void {
    this.#push(run, argument, this.host.facts.cause)
  }

  /** Runs a task after a delay of world time, on this incarnation only. */
  setTimer(delayMicros: number, run: Task, argument?: unknown): Event {
    const { incarnation } = this
    const cause = this.host.facts.emit(timerSet, this, delayMicros, 0, undefined)
    const event: Event = this.host.schedule(
      delayMicros,
      () => {
        if (this.incarnation !== incarnation || this.state === "down") return
        if (this.state === "paused") this.#heldTimers.push(event)
        else this.#push(run, argument, cause)
      },
      undefined,
      cause
    )
    return event
  }

  /** A way back to this incarnation, for whoever outside will answer it later: once it has died the way leads nowhere (N4). */
  wayBack(): (delayMicros: number, run: () => void) => void {
    const { incarnation } = this
    return (delayMicros, run) => {
      if (this.incarnation === incarnation) this.setTimer(delayMicros, run)
    }
  }

  /** An input from outside (a delivery): runs as a task of this node, held while it is paused. */
  receive(run: Task, argument: unknown): void {
    if (this.state === "paused") {
      const { cause } = this.host.facts
      this.#heldInputs.push({ run, argument, cause, cancelled: false })
    } else this.#push(run, argument, this.host.facts.cause)
  }

  /** A call of a port: where preemption may strike. */
  portCall(): void {
    const { strategy } = this.#options
    const nth = this.#portCallCount++
    if (this.host.onChoicePoint !== undefined) this.#lastPortCall = nth
    const departure = this.#departures?.calls.get(nth)
    const stall = departure ?? this.#stallAt(nth)
    if (stall === undefined) return
    const name = `${this.name}/${this.incarnation}#${nth}`
    if (departure === undefined && strategy.preemptions?.has(name) === false) return
    this.host.preemptions.push(name)
    this.#preemptNext = true
    this.#stallNextMicros = stall
  }

  #stallAt(nth: number): number | undefined {
    const { preemptProbability, stallMicros } = this.#options.strategy
    if (this.#changePoints.size > 0) return this.#changePoints.get(nth)
    if (preemptProbability === 0 || !Chance.happens(this.#preemptKey, nth, preemptProbability)) return undefined
    return Chance.integer(this.#preemptKey ^ 1, nth, 0, stallMicros)
  }

  /** Says what the running fiber is about to wait for; heard only while tracking. */
  waits(waitsFor: string, on: WaitsOn = "outside"): void {
    this.#watch?.says({ waitsFor, on })
  }

  /** What keeps this node from going on: the node itself when it is not up, or the fibers that have not ended, in order of their start. */
  waiting(): ReadonlyArray<WaitingFiber> {
    if (this.state === "up") {
      return this.#watch === undefined ? [] : [...this.#watch.waiting(), ...(this.waitsBesides?.() ?? [])]
    }
    if (this.state === "down" && this.#isOver) return []
    const waitsFor = this.state === "down" ? "its start: it is down" : "the end of its pause"
    return [{ fiber: "the node", waitsFor, on: "outside", sinceMicros: this.#stateSinceMicros }]
  }

  tell<F extends DomainFact>(fact: F): number {
    return this.host.facts.tell(this, fact)
  }

  /** Runs every task that is runnable now, in the order of the strategy; returns how many. */
  drain(budget: number): number {
    const { facts, settle } = this.host
    const isInOrder = this.#options.isInOrder === true
    let ran = 0
    while (this.state === "up" && ran < budget && !this.host.isHalted) {
      if (this.#head === this.#tail && !this.#takeUpOverdue()) break
      if (this.taskMicros > 0 && this.#isBusy()) return ran
      let index = this.#head
      const count = this.#tail - index
      if (count > 1 && !isInOrder) index += this.#choose(count)
      const run = this.#tasks[index] as Task
      const argument = this.#arguments[index]
      facts.cause = this.#causes[index] as number
      this.#remove(index)
      run(argument as never)
      settle?.()
      if (this.#undead !== undefined) throw new Error(this.#undead)
      ran++
    }
    return ran
  }

  #choose(count: number): number {
    const nth = this.#scheduleCount++
    const { host } = this
    const place = () => `${this.name}/${this.incarnation}@${nth}`
    host.onChoicePoint?.({ _tag: "Task", atMicros: host.nowMicros, name: place(), count })
    const position = this.#departures?.tasks.get(nth)
    if (position === undefined || position >= count) {
      return Schedule.choose(this.#options.strategy, this.#scheduleKey, nth, count)
    }
    host.preemptions.push(place())
    return position
  }

  #schedulerOf(incarnation: number): Scheduler.Scheduler {
    return {
      executionMode: "async",
      shouldYield: (fiber) => {
        // A node that dies in the middle of a task dies for the fibers that the task would still run, too.
        if (this.incarnation === incarnation) return this.state === "down" || this.#shouldYield(fiber)
        // Effect would take a throw for a defect of the fiber; it is ours, and ends the run.
        this.#undead = `a fiber of ${this.name}/${incarnation} ran in ${this.name}/${this.incarnation}`
        return true
      },
      makeDispatcher: () => this.#dispatcher
    }
  }

  readonly #dispatcher: Scheduler.SchedulerDispatcher = {
    scheduleTask: (task) => {
      const { cause } = this.host.facts
      if (this.#stallNextMicros > 0) {
        const stall = this.#stallNextMicros
        this.#stallNextMicros = 0
        this.setTimer(stall, task)
      } else this.#push(task, undefined, cause)
    },
    flush: () => {
      throw new Error(
        "a simulated node has no synchronous flush: Effect.runSync inside a simulation would run it alone"
      )
    }
  }

  #shouldYield(fiber: AnyFiber): boolean {
    this.#watch?.see(fiber)
    if (this.#lastPortCall >= 0) this.#tellPortCall()
    if (this.#preemptNext) {
      this.#preemptNext = false
      return true
    }
    const { operationProbability } = this.#options.strategy
    if (
      operationProbability > 0 &&
      Chance.happens(this.#preemptKey ^ 2, this.#operationCount++, operationProbability)
    ) {
      return true
    }
    // Fibers of Effect before 4.0.0 have no cache, and keep this themselves.
    return fiber.currentOpCount >= (fiber.cache ?? fiber).maxOpsBeforeYield
  }

  /** At the moment of the preemption that could be: what the call itself has made runnable counts. */
  #tellPortCall(): void {
    const name = `${this.name}/${this.incarnation}#${this.#lastPortCall}`
    this.#lastPortCall = -1
    this.host.onChoicePoint?.({ _tag: "PortCall", atMicros: this.host.nowMicros, name, others: this.runnableCount })
  }

  #tellClock(jumpMicros: number): void {
    const { rate } = this.clock
    const fact: ClockSet = { _tag: "ClockSet", wallMicros: this.clock.wallMicros(), rate, jumpMicros }
    this.tell(fact)
  }

  #exited(exit: Exit.Exit<unknown, unknown>): void {
    this.#main = undefined
    this.#isOver = Exit.isSuccess(exit)
    this.tell({
      _tag: "NodeExited",
      outcome: Exit.isSuccess(exit) ? "success" : Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failure",
      errors: Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? errorsOf(exit.cause) : []
    })
    this.#sever()
    this.#options.onExit(this, exit)
  }

  #sever(): void {
    this.state = "down"
    this.#main = undefined
    this.#tasks = []
    this.#arguments = []
    this.#causes = []
    this.#head = 0
    this.#tail = 0
    this.#heldTimers = []
    this.#heldInputs = []
    this.#overdue = []
    this.#watch = undefined
    this.waitsBesides = undefined
    this.#stateSinceMicros = this.host.nowMicros
    this.#preemptNext = false
    this.#stallNextMicros = 0
    this.#busyUntilMicros = 0
    this.#isStopping = false
    if (!this.#isRevived) return
    this.#isRevived = false
    this.host.schedule(0, () => this.revive(), undefined)
  }

  #push(run: Task, argument: unknown, cause: number): void {
    if (this.state === "down") return
    const index = this.#tail++
    this.#tasks[index] = run
    this.#arguments[index] = argument
    this.#causes[index] = cause
    if (this.isReady || this.state !== "up") return
    this.isReady = true
    this.host.ready(this)
  }

  #remove(index: number): void {
    const last = this.#tail - 1
    if (index === this.#head && last > index) {
      this.#tasks[index] = discarded
      this.#arguments[index] = undefined
      this.#head++
      if (this.#head > 1024) this.#compact()
      return
    }
    if (index > this.#head && this.#options.strategy.name === "fifo") {
      // A deviation: the rest keeps its order.
      this.#tasks.copyWithin(this.#head + 1, this.#head, index)
      this.#arguments.copyWithin(this.#head + 1, this.#head, index)
      this.#causes.copyWithin(this.#head + 1, this.#head, index)
      return this.#remove(this.#head)
    }
    // The order of the rest is free under `random`.
    this.#tasks[index] = this.#tasks[last] as Task
    this.#arguments[index] = this.#arguments[last]
    this.#causes[index] = this.#causes[last] as number
    this.#tasks[last] = discarded
    this.#arguments[last] = undefined
    this.#tail = last
    if (this.#head === last) this.#head = this.#tail = 0
  }

  /** A queue that never runs empty would creep through memory. */
  #compact(): void {
    this.#tasks = this.#tasks.slice(this.#head, this.#tail)
    this.#arguments = this.#arguments.slice(this.#head, this.#tail)
    this.#causes = this.#causes.slice(this.#head, this.#tail)
    this.#tail -= this.#head
    this.#head = 0
  }

  /** N3: the next overdue event becomes runnable only when what the one before it set off has run. */
  #takeUpOverdue(): boolean {
    if (this.#overdue.length === 0) return false
    while (this.runnableCount === 0) {
      const event = this.#overdue.shift()
      if (event === undefined) return false
      if (!event.cancelled) this.#push(event.run, event.argument, event.cause)
    }
    return true
  }

  #isBusy(): boolean {
    const { nowMicros } = this.host
    if (nowMicros < this.#busyUntilMicros) {
      this.host.facts.effect("process/slow-cpu", this)
      return true
    }
    this.#busyUntilMicros = nowMicros + this.taskMicros
    const { incarnation } = this
    this.host.schedule(
      this.taskMicros,
      () => {
        if (this.incarnation === incarnation) this.announce()
      },
      undefined
    )
    return false
  }
}

function discarded(): void {
  throw new Error("a task ran twice")
}
