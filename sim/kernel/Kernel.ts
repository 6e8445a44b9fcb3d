/**
 * The kernel: one synchronous loop over a heap of timed events and, per node, a list of runnable tasks.
 *
 * - K1 No timer or promise of the host is part of a run. Where programs use promises (`settle`), what waits for one runs before the
 *   task ends that settled it; the loop is the same.
 * - K2 Virtual time is an integer of microseconds and moves only when nothing is runnable at the present instant.
 * - K3 The cause of a step is the fact that set it, not the step before.
 * - K4 Nothing hangs: an instant has a bound on tasks, a run one on steps and on virtual time.
 */
import * as Chance from "./Chance.ts"
import type { OnChoicePoint } from "./ChoicePoint.ts"
import type { Digest } from "./Digest.ts"
import { type Event, EventHeap } from "./EventHeap.ts"
import { FactStream } from "./FactStream.ts"
import { type NodeHost, type NodeOptions, SimNode } from "./SimNode.ts"

/** Why `run` returned. */
export type Stopped =
  /** Virtual time reached the limit. */
  | { readonly _tag: "Reached" }
  /** Nothing is runnable and no event is left: everybody waits for something that cannot come. */
  | { readonly _tag: "Quiescent" }
  /** `halt` was called. */
  | { readonly _tag: "Halted" }
  /** One instant took more tasks than allowed: fibers wake each other without time passing. */
  | { readonly _tag: "Livelock"; readonly node: string }
  | { readonly _tag: "StepLimit" }

export interface Limits {
  /** Tasks at one instant of virtual time. */
  readonly instantTasksMax: number
  /** Events and tasks in all. */
  readonly stepsMax: number
}

export const defaultLimits: Limits = { instantTasksMax: 1_000_000, stepsMax: 200_000_000 }

export interface KernelOptions {
  readonly seed: Chance.Seed
  /** Another number redraws everything below `noiseKey`. Default: as the seed has it. */
  readonly noise?: number
  readonly limits?: Limits
  readonly digest?: Digest
  /** Runs what waits for promises, to the last; called after every task and event. Default: programs use none. */
  readonly settle?: () => void
}

export class Kernel implements NodeHost {
  nowMicros = 0
  /** Events and tasks so far. */
  steps = 0
  readonly seed: Chance.Seed
  readonly key: Chance.Key
  /** The root of what a plan does not speak of: schedules, latencies, and what programs draw. */
  readonly noiseKey: Chance.Key
  readonly facts: FactStream
  readonly settle: (() => void) | undefined
  readonly #limits: Limits
  readonly #heap = new EventHeap()
  readonly #nodes = new Map<string, SimNode>()
  /** Nodes with something to run; only the first `#readyCount` count, so that the list keeps its room. */
  readonly #ready: Array<SimNode> = []
  #readyCount = 0
  #sequence = 0
  /** Where fibers were preempted: "n1/2#45", at the 45th port call of the second incarnation. */
  readonly preemptions: Array<string> = []
  isHalted = false
  /** The node whose task runs now. */
  running: SimNode | undefined
  /** Told whose turn it is, and when that turn is over. */
  onTurn: ((node: SimNode | undefined) => void) | undefined
  /** Hears where the run could go another way. */
  onChoicePoint: OnChoicePoint | undefined

  constructor(options: KernelOptions) {
    this.seed = options.seed
    this.key = Chance.root(options.seed)
    this.noiseKey = options.noise === undefined ? this.key : Chance.derive(this.key, `noise/${options.noise}`)
    this.facts = new FactStream(this, options.digest)
    this.settle = options.settle
    this.#limits = options.limits ?? defaultLimits
  }

  /** In order of registration. */
  get nodes(): Iterable<SimNode> {
    return this.#nodes.values()
  }

  /** Registers a node; it is down until started. */
  addNode(name: string, options: NodeOptions): SimNode {
    if (this.#nodes.has(name)) throw new Error(`there is a node named ${name} already`)
    const node = new SimNode(this, name, this.#nodes.size, Chance.derive(this.noiseKey, `node/${name}`), options)
    this.#nodes.set(name, node)
    return node
  }

  findNode(name: string): SimNode | undefined {
    return this.#nodes.get(name)
  }

  /** Runs `run(argument)` after the delay, with the present cause unless another is given; not a task of any node. */
  schedule(delayMicros: number, run: (argument: never) => void, argument: unknown, cause = this.facts.cause): Event {
    const event: Event = {
      atMicros: this.nowMicros + (delayMicros > 0 ? Math.ceil(delayMicros) : 0),
      sequence: this.#sequence++,
      cause,
      run,
      argument,
      cancelled: false,
      isQueued: false,
      next: undefined
    }
    this.#heap.push(event)
    return event
  }

  ready(node: SimNode): void {
    this.#ready[this.#readyCount++] = node
  }

  /** Ends the present `run` after this step. */
  halt(): void {
    this.isHalted = true
  }

  /** Steps until the limit of virtual time, or until something else stops it. May be called again. */
  run(untilMicros: number): Stopped {
    const { facts, settle } = this
    this.isHalted = false
    settle?.()
    for (;;) {
      if (this.#readyCount > 0) {
        const stopped = this.#drain()
        if (stopped !== undefined) return stopped
      }
      const next = this.#heap.peek()
      if (next === undefined) {
        this.nowMicros = Math.max(this.nowMicros, untilMicros)
        facts.cause = 0
        return { _tag: "Quiescent" }
      }
      if (next.atMicros > untilMicros) {
        this.nowMicros = Math.max(this.nowMicros, untilMicros)
        facts.cause = 0
        return { _tag: "Reached" }
      }
      this.#heap.pop()
      if (next.cancelled) continue
      this.nowMicros = next.atMicros
      facts.cause = next.cause
      this.steps++
      next.run(next.argument as never)
      settle?.()
      if (this.isHalted) return { _tag: "Halted" }
      if (this.steps > this.#limits.stepsMax) return { _tag: "StepLimit" }
    }
  }

  /** Runs what is runnable at this instant. What a halt leaves is taken up by the next run. */
  #drain(): Stopped | undefined {
    const ready = this.#ready
    let ran = 0
    for (let index = 0; index < this.#readyCount; index++) {
      const node = ready[index] as SimNode
      node.isReady = false
      this.running = node
      this.onTurn?.(node)
      this.onChoicePoint?.({ _tag: "Acted", atMicros: this.nowMicros, node: node.name })
      ran += node.drain(this.#limits.instantTasksMax)
      this.running = undefined
      this.onTurn?.(undefined)
      if (!this.isHalted && ran < this.#limits.instantTasksMax) continue
      ready.copyWithin(0, index + 1, this.#readyCount)
      this.#readyCount -= index + 1
      node.announce()
      return this.isHalted ? { _tag: "Halted" } : { _tag: "Livelock", node: node.name }
    }
    this.#readyCount = 0
    this.steps += ran
    return undefined
  }
}
