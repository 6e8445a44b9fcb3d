/**
 * Which isolation level a history of list-append transactions keeps (Adya 1999; the inference is that of Kingsbury and
 * Alvaro, Elle, 2020). Pure: a history in, its anomalies out, each with its evidence in words.
 *
 * - H1 What is reported happened: an anomaly follows from what clients saw, under every order that the unseen could have had.
 * - H2 What nobody read is not judged: let a history end with a read of every list, or appends after the last read stay unordered.
 * - H3 A history without a cycle costs no more than its length. With cycles the search for the shortest is bounded, and a
 *   class that was not searched to the end is named in `undecided`.
 * - H4 Where transactions say who ran them, and when, their order counts as well: a cycle that needs the order of a client is of a
 *   class that ends in -process, one that needs real time of one that ends in -realtime.
 */
import * as Graph from "./DependencyGraph.ts"
import type { ListTransaction } from "./ListAppend.ts"
import { explainCycle } from "./explainCycle.ts"

const cycleKinds = ["G0", "G1c", "G-single", "G-nonadjacent", "G2-item"] as const
type CycleKind = (typeof cycleKinds)[number]
type OrderedKind = `${CycleKind}-${"process" | "realtime"}`

/** Weakest first, as far as they can be ordered. */
const plainKinds = [
  /** An element appears twice in a list, or was appended twice. */
  "duplicate",
  /** An element was read that nobody appended. */
  "unwritten",
  /** Two reads of a list, neither the beginning of the other. */
  "incompatible-order",
  /** A transaction did not see what it had itself appended, as it had appended it. */
  "internal",
  "G0",
  "G1a",
  "G1b",
  "G1c",
  "G-single",
  "G-nonadjacent",
  "G2-item"
] as const
export type AnomalyKind = (typeof plainKinds)[number] | OrderedKind

export interface Anomaly {
  readonly kind: AnomalyKind
  /** The transactions concerned; those of a cycle in its order. */
  readonly transactions: ReadonlyArray<string>
  /** Sentences. */
  readonly explanation: ReadonlyArray<string>
}

/** What Postgres means by them: its repeatable read is snapshot isolation. */
export const isolationLevels = [
  "read uncommitted",
  "read committed",
  "repeatable read",
  "serializable",
  /** In an order that keeps to those of clients and of real time. */
  "strict serializable"
] as const
export type IsolationLevel = (typeof isolationLevels)[number]

const firstForbiddenAt: Readonly<Record<(typeof plainKinds)[number], IsolationLevel>> = {
  duplicate: "read uncommitted",
  unwritten: "read uncommitted",
  "incompatible-order": "read uncommitted",
  internal: "read uncommitted",
  G0: "read uncommitted",
  G1a: "read committed",
  G1b: "read committed",
  G1c: "read committed",
  "G-single": "repeatable read",
  "G-nonadjacent": "repeatable read",
  "G2-item": "serializable"
}

export const forbids = (level: IsolationLevel, kind: AnomalyKind): boolean =>
  isolationLevels.indexOf(weakestWithout(kind)) <= isolationLevels.indexOf(level)

/** The weakest level that forbids it. */
export const weakestWithout = (kind: AnomalyKind): IsolationLevel =>
  kind.endsWith("-process") || kind.endsWith("-realtime")
    ? "strict serializable"
    : firstForbiddenAt[kind as (typeof plainKinds)[number]]

export interface IsolationReport {
  /** At most one cycle of each class for each component of the graph. */
  readonly anomalies: ReadonlyArray<Anomaly>
  /** Classes of cycles for which the search ended before it was through. */
  readonly undecided: ReadonlyArray<AnomalyKind>
  /** Of the transactions that took effect. */
  readonly transactions: number
  readonly dependencies: number
}

/** What is wrong at this level; empty means that the history keeps it, unless `undecided` names a class it forbids. */
export const violations = (report: IsolationReport, level: IsolationLevel): ReadonlyArray<Anomaly> =>
  report.anomalies.filter(({ kind }) => forbids(level, kind))

export interface CheckOptions {
  /** How many edges the search for one shortest cycle may look at. */
  readonly searchSteps?: number
  /** Asked before each search for a cycle: once it is true, what has not been searched is undecided. */
  readonly isOver?: () => boolean
}

/** Dies when two transactions have one name. */
export const check = (history: ReadonlyArray<ListTransaction>, options: CheckOptions = {}): IsolationReport => {
  const observed = new Observations(history)
  const graph = Graph.make(history.length, observed.edges(), observed.times())
  const { anomalies, undecided } = cycles(graph, history, options)
  return {
    anomalies: [...observed.anomalies, ...anomalies],
    undecided,
    transactions: observed.tookEffect.reduce((sum, did) => sum + (did ? 1 : 0), 0),
    dependencies: graph.edges.length
  }
}

interface Written {
  /** The index of the transaction in the history. */
  readonly by: number
  /** Whether it appended to the list again later. */
  isFinal: boolean
  value: number
}

/** All that is known of one list. */
interface List {
  readonly key: string
  readonly written: Map<number, Written>
  /** The longest list that was read: the order in which its elements came. */
  order: ReadonlyArray<number>
  orderReadBy: number
}

/** What clients saw, put together list by list. */
class Observations {
  readonly anomalies: Array<Anomaly> = []
  /** Committed, or of unknown outcome and read by a committed one. */
  readonly tookEffect: Array<boolean>
  readonly #history: ReadonlyArray<ListTransaction>
  readonly #lists = new Map<string, List>()

  constructor(history: ReadonlyArray<ListTransaction>) {
    this.#history = history
    this.tookEffect = history.map(({ outcome }) => outcome === "committed")
    const names = new Set<string>()
    for (const [by, { name, operations }] of history.entries()) {
      if (names.has(name)) throw new Error(`two transactions are named ${name}`)
      names.add(name)
      const last = new Map<string, Written>()
      for (const operation of operations) {
        if (operation._tag !== "Append") continue
        const { key, value } = operation
        const written = { by, isFinal: true, value }
        const { written: all } = this.#list(key)
        const other = all.get(value)
        if (other !== undefined) {
          this.#found(
            "duplicate",
            [other.by, by],
            `${value} was appended to ${key} twice, so nothing can be inferred of it`
          )
        }
        all.set(value, written)
        const before = last.get(key)
        if (before !== undefined) before.isFinal = false
        last.set(key, written)
      }
    }
    this.#tellWhatTookEffect()
    for (const [by, { operations }] of history.entries()) if (this.tookEffect[by]) this.#judgeReads(by, operations)
    for (const [by, { operations }] of history.entries()) if (this.tookEffect[by]) this.#judgeOrders(by, operations)
  }

  /** One for each pair of neighbours in a list, and at most two for each read. */
  edges(): ReadonlyArray<Graph.Edge> {
    const edges: Array<Graph.Edge> = []
    const add = (from: number, to: number | undefined, rest: Omit<Graph.Edge, "from" | "to">): void => {
      if (to !== undefined && from !== to && this.tookEffect[from] && this.tookEffect[to]) {
        edges.push({ from, to, ...rest })
      }
    }
    for (const { key, order, written } of this.#lists.values()) {
      for (let at = 1; at < order.length; at++) {
        const by = written.get(order[at - 1]!)?.by
        if (by === undefined) continue
        add(by, written.get(order[at]!)?.by, { kind: Graph.ww, key, seen: order[at - 1], next: order[at] })
      }
    }
    for (const [by, { operations }] of this.#history.entries()) {
      if (!this.tookEffect[by]) continue
      for (const operation of operations) {
        if (operation._tag !== "Read" || operation.values === undefined) continue
        const { key, values } = operation
        const { order, written } = this.#lists.get(key)!
        const seen = values.at(-1)
        const next = order[values.length]
        // A read that contradicts the order has been reported; what follows from it would say the same again.
        if (seen !== order[values.length - 1]) continue
        const writer = seen === undefined ? undefined : written.get(seen)?.by
        if (writer !== undefined) add(writer, by, { kind: Graph.wr, key, seen, next: undefined })
        if (next !== undefined) add(by, written.get(next)?.by, { kind: Graph.rw, key, seen, next })
      }
    }
    this.#addProcessOrder(add)
    return edges
  }

  /** `undefined` where no transaction has any. */
  times(): Graph.NodeTimes | undefined {
    if (!this.#history.some(({ times }) => times !== undefined)) return undefined
    const called = new Float64Array(this.#history.length).fill(Number.NaN)
    const returned = called.slice()
    for (const [by, { outcome, times }] of this.#history.entries()) {
      if (times === undefined || !this.tookEffect[by]) continue
      called[by] = times.called
      // When it took effect, if nobody was told, is not known to be over at any time.
      returned[by] = outcome === "committed" ? times.returned : Infinity
    }
    return { called, returned }
  }

  /** From each that its client knew to be over to the next: what has no known end may take effect much later. */
  #addProcessOrder(add: (from: number, to: number, rest: Omit<Graph.Edge, "from" | "to">) => void): void {
    const last = new Map<string, number>()
    const calledAt = (by: number) => this.#history[by]!.times?.called ?? 0
    const order = Array.from(this.#history.keys())
    if (this.#history.some(({ times }) => times !== undefined))
      order.sort((left, right) => calledAt(left) - calledAt(right))
    for (const by of order) {
      const { outcome, process } = this.#history[by]!
      if (process === undefined || !this.tookEffect[by]) continue
      const before = last.get(process)
      if (before !== undefined) add(before, by, { kind: Graph.process, key: process, seen: undefined, next: undefined })
      if (outcome === "committed") last.set(process, by)
    }
  }

  /** Also through others whose outcome is unknown: what they read and wrote then took effect as well. */
  #tellWhatTookEffect(): void {
    const open = this.#history.flatMap((_, by) => (this.tookEffect[by] ? [by] : []))
    for (let reader = open.pop(); reader !== undefined; reader = open.pop()) {
      for (const operation of this.#history[reader]!.operations) {
        if (operation._tag !== "Read" || operation.values === undefined) continue
        const { written } = this.#list(operation.key)
        for (const value of operation.values) {
          const by = written.get(value)?.by
          if (by === undefined || this.tookEffect[by] || this.#history[by]!.outcome === "aborted") continue
          this.tookEffect[by] = true
          open.push(by)
        }
      }
    }
  }

  #judgeReads(by: number, operations: ListTransaction["operations"]): void {
    const own = new Map<string, Array<number>>()
    for (const operation of operations) {
      const { key } = operation
      if (operation._tag === "Append") {
        own.set(key, [...(own.get(key) ?? []), operation.value])
        continue
      }
      const { values } = operation
      if (values === undefined) continue
      const list = this.#list(key)
      if (values.length > list.order.length || list.orderReadBy === -1) {
        list.order = values
        list.orderReadBy = by
      }
      this.#judgeElements(by, list, values)
      const appended = own.get(key) ?? []
      const end = values.slice(values.length - appended.length)
      if (appended.length > values.length || appended.some((value, at) => value !== end[at])) {
        this.#found(
          "internal",
          [by],
          `${this.#name(by)} read ${key} as ${show(values)} after it had itself appended ${appended.join(", ")}`
        )
      }
    }
  }

  #judgeElements(by: number, { key, written }: List, values: ReadonlyArray<number>): void {
    const reads = () => `${this.#name(by)} read ${key} as ${show(values)}`
    if (new Set(values).size < values.length) this.#found("duplicate", [by], `${reads()}, with an element twice`)
    for (const value of values) {
      const writer = written.get(value)
      if (writer === undefined) this.#found("unwritten", [by], `${reads()}, and nobody appended ${value}`)
      else if (this.#history[writer.by]!.outcome === "aborted") {
        this.#found(
          "G1a",
          [writer.by, by],
          `${reads()}, but ${this.#name(writer.by)}, who appended ${value}, was aborted`
        )
      }
    }
    const last = values.at(-1)
    const writer = last === undefined ? undefined : written.get(last)
    if (writer !== undefined && writer.by !== by && !writer.isFinal) {
      const writes = `${last} is not the last that ${this.#name(writer.by)} appended to it`
      this.#found("G1b", [writer.by, by], `${reads()}, and ${writes}`)
    }
  }

  /** Each read must be the beginning of the longest. */
  #judgeOrders(by: number, operations: ListTransaction["operations"]): void {
    for (const operation of operations) {
      if (operation._tag !== "Read" || operation.values === undefined) continue
      const { key, values } = operation
      const { order, orderReadBy } = this.#list(key)
      if (values.every((value, at) => value === order[at])) continue
      this.#found(
        "incompatible-order",
        [by, orderReadBy],
        `${this.#name(by)} read ${key} as ${show(values)}, ${this.#name(orderReadBy)} as ${show(order)}`
      )
    }
  }

  #list(key: string): List {
    let list = this.#lists.get(key)
    if (list === undefined) this.#lists.set(key, (list = { key, written: new Map(), order: [], orderReadBy: -1 }))
    return list
  }

  #found(kind: AnomalyKind, by: ReadonlyArray<number>, sentence: string): void {
    this.anomalies.push({ kind, transactions: by.map((at) => this.#name(at)), explanation: [`${sentence}.`] })
  }

  #name(by: number): string {
    return this.#history[by]!.name
  }
}

const withoutReadsOver = (kind: Graph.EdgeKind): number | undefined => (kind === Graph.rw ? undefined : 0)

interface Class extends Graph.CycleClass {
  readonly kind: AnomalyKind
  /** Of which it is a variant. */
  readonly base: CycleKind
}

const data = Graph.ww | Graph.wr | Graph.rw

const plainClasses: ReadonlyArray<Class & { readonly kind: CycleKind }> = [
  {
    kind: "G0",
    base: "G0",
    kinds: Graph.ww,
    first: Graph.ww,
    states: 1,
    next: (_state, kind) => (kind === Graph.ww ? 0 : undefined),
    accepts: () => true
  },
  {
    kind: "G1c",
    base: "G1c",
    kinds: Graph.ww | Graph.wr,
    first: Graph.wr,
    states: 1,
    next: (_state, kind) => withoutReadsOver(kind),
    accepts: () => true
  },
  {
    kind: "G-single",
    base: "G-single",
    kinds: data,
    first: Graph.rw,
    states: 1,
    next: (_state, kind) => withoutReadsOver(kind),
    accepts: () => true
  },
  {
    // Several rw, no two of them next to each other. Odd states: the last edge was another; from 2 on: more than one rw.
    kind: "G-nonadjacent",
    base: "G-nonadjacent",
    kinds: data,
    first: Graph.rw,
    states: 4,
    next: (state, kind) => {
      if (kind !== Graph.rw) return state | 1
      return (state & 1) === 1 ? 2 : undefined
    },
    accepts: (state) => state === 3
  },
  {
    // Two rw next to each other: with none such, a cycle of several is the class before.
    kind: "G2-item",
    base: "G2-item",
    kinds: data,
    first: Graph.rw,
    states: 2,
    next: (state, kind) => (state === 1 || kind === Graph.rw ? 1 : undefined),
    accepts: (state) => state === 1
  }
]

/** The same with at least one edge of this order, which stands where a ww could. Odd states: one has been seen. */
function ordered(
  order: typeof Graph.process | typeof Graph.realTime,
  suffix: "process" | "realtime"
): ReadonlyArray<Class> {
  return plainClasses.map(({ accepts, base, first, kinds, next, states }) => ({
    kind: `${base}-${suffix}` as const,
    base,
    kinds: kinds | order,
    first,
    states: states * 2,
    next: (state, kind) => {
      const after = next(state >> 1, kind === order ? Graph.ww : kind)
      return after === undefined ? undefined : after * 2 + (kind === order ? 1 : state & 1)
    },
    accepts: (state) => (state & 1) === 1 && accepts(state >> 1)
  }))
}

function cycles(
  graph: Graph.DependencyGraph,
  history: ReadonlyArray<ListTransaction>,
  { isOver = () => false, searchSteps = 5_000_000 }: CheckOptions
): Pick<IsolationReport, "anomalies" | "undecided"> {
  const anomalies: Array<Anomaly> = []
  const undecided = new Set<AnomalyKind>()
  const found: Array<Class & { readonly nodes: ReadonlyArray<number> }> = []
  const searchAll = (classes: ReadonlyArray<Class>): void => {
    const componentsOver = new Map<number, Graph.Components>()
    const whole = Graph.components(
      graph,
      classes.reduce((kinds, one) => kinds | one.kinds, 0)
    )
    if (whole.cyclic.length === 0) return
    for (const cycleClass of classes) {
      const { base, kind, kinds } = cycleClass
      const components = componentsOver.get(kinds) ?? Graph.components(graph, kinds)
      componentsOver.set(kinds, components)
      for (const members of components.cyclic) {
        const component = components.of[members[0]!]
        const others = found.filter((one) => one.base === base && components.of[one.nodes[0]!] === component)
        // What is wrong there without any order is not said again of its orders.
        if (others.some((one) => one.kind === base)) continue
        const steps = isOver() ? 0 : searchSteps
        const { cycle, isExhaustive } = Graph.shortestCycle(graph, components, members, cycleClass, steps)
        if (!isExhaustive) undecided.add(kind)
        // A walk that meets a transaction twice is made of smaller cycles, which are of other classes.
        const nodes = cycle?.map(({ from }) => from) ?? []
        if (cycle === undefined || new Set(nodes).size < cycle.length) continue
        // Nor what a client's order shows of real time, unless that shows it sooner.
        if (others.some((one) => one.nodes.length <= nodes.length)) continue
        found.push({ ...cycleClass, nodes })
        anomalies.push({
          kind,
          transactions: nodes.map((from) => history[from]!.name),
          explanation: explainCycle(cycle, (at) => history[at]!.name)
        })
      }
    }
  }
  searchAll(plainClasses)
  searchAll(ordered(Graph.process, "process"))
  if (graph.times !== undefined) searchAll(ordered(Graph.realTime, "realtime"))
  return { anomalies, undecided: Array.from(undecided) }
}

function show(values: ReadonlyArray<number>): string {
  return `[${values.join(" ")}]`
}
