/**
 * Which isolation level a history of list-append transactions keeps (Adya 1999; the inference is that of Kingsbury and
 * Alvaro, Elle, 2020). Pure: a history in, its anomalies out, each with its evidence in words.
 *
 * - H1 What is reported happened: an anomaly follows from what clients saw, under every order that the unseen could have had.
 * - H2 What nobody read is not judged: let a history end with a read of every list, or appends after the last read stay unordered.
 * - H3 A history without a cycle costs no more than its length. With cycles the search for the shortest is bounded, and a
 *   class that was not searched to the end is named in `undecided`.
 * Absent on purpose, for now: the order of sessions and of real time; a history that breaks only those passes.
 */
import * as Graph from "./DependencyGraph.ts"
import type { ListTransaction } from "./ListAppend.ts"
import { explainCycle } from "./explainCycle.ts"

/** Weakest first, as far as they can be ordered. */
export const anomalyKinds = [
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
export type AnomalyKind = (typeof anomalyKinds)[number]

export interface Anomaly {
  readonly kind: AnomalyKind
  /** The transactions concerned; those of a cycle in its order. */
  readonly transactions: ReadonlyArray<string>
  /** Sentences. */
  readonly explanation: ReadonlyArray<string>
}

/** What Postgres means by them: its repeatable read is snapshot isolation. */
export const isolationLevels = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const
export type IsolationLevel = (typeof isolationLevels)[number]

const firstForbiddenAt: Readonly<Record<AnomalyKind, IsolationLevel>> = {
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
  isolationLevels.indexOf(firstForbiddenAt[kind]) <= isolationLevels.indexOf(level)

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
}

/** Dies when two transactions have one name. */
export const check = (history: ReadonlyArray<ListTransaction>, options: CheckOptions = {}): IsolationReport => {
  const observed = new Observations(history)
  const graph = Graph.make(history.length, observed.edges())
  const { anomalies, undecided } = cycles(graph, history, options.searchSteps ?? 5_000_000)
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
    return edges
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
    const reads = `${this.#name(by)} read ${key} as ${show(values)}`
    if (new Set(values).size < values.length) this.#found("duplicate", [by], `${reads}, with an element twice`)
    for (const value of values) {
      const writer = written.get(value)
      if (writer === undefined) this.#found("unwritten", [by], `${reads}, and nobody appended ${value}`)
      else if (this.#history[writer.by]!.outcome === "aborted") {
        this.#found(
          "G1a",
          [writer.by, by],
          `${reads}, but ${this.#name(writer.by)}, who appended ${value}, was aborted`
        )
      }
    }
    const last = values.at(-1)
    const writer = last === undefined ? undefined : written.get(last)
    if (writer !== undefined && writer.by !== by && !writer.isFinal) {
      const writes = `${last} is not the last that ${this.#name(writer.by)} appended to it`
      this.#found("G1b", [writer.by, by], `${reads}, and ${writes}`)
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
  /** Over which edges the components are taken. */
  readonly kinds: number
}

const classes: ReadonlyArray<Class> = [
  {
    kind: "G0",
    kinds: Graph.ww,
    first: Graph.ww,
    states: 1,
    next: (_state, kind) => (kind === Graph.ww ? 0 : undefined),
    accepts: () => true
  },
  {
    kind: "G1c",
    kinds: Graph.ww | Graph.wr,
    first: Graph.wr,
    states: 1,
    next: (_state, kind) => withoutReadsOver(kind),
    accepts: () => true
  },
  {
    kind: "G-single",
    kinds: Graph.ww | Graph.wr | Graph.rw,
    first: Graph.rw,
    states: 1,
    next: (_state, kind) => withoutReadsOver(kind),
    accepts: () => true
  },
  {
    // Several rw, no two of them next to each other. Odd states: the last edge was another; from 2 on: more than one rw.
    kind: "G-nonadjacent",
    kinds: Graph.ww | Graph.wr | Graph.rw,
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
    kinds: Graph.ww | Graph.wr | Graph.rw,
    first: Graph.rw,
    states: 2,
    next: (state, kind) => (state === 1 || kind === Graph.rw ? 1 : undefined),
    accepts: (state) => state === 1
  }
]

function cycles(
  graph: Graph.DependencyGraph,
  history: ReadonlyArray<ListTransaction>,
  steps: number
): Pick<IsolationReport, "anomalies" | "undecided"> {
  const anomalies: Array<Anomaly> = []
  const undecided = new Set<AnomalyKind>()
  const componentsOver = new Map<number, Graph.Components>()
  if (Graph.components(graph, Graph.ww | Graph.wr | Graph.rw).cyclic.length === 0) return { anomalies, undecided: [] }
  for (const cycleClass of classes) {
    const { kind, kinds } = cycleClass
    const components = componentsOver.get(kinds) ?? Graph.components(graph, kinds)
    componentsOver.set(kinds, components)
    for (const members of components.cyclic) {
      const { cycle, isExhaustive } = Graph.shortestCycle(graph, components, members, cycleClass, steps)
      if (!isExhaustive) undecided.add(kind)
      // A walk that meets a transaction twice is made of smaller cycles, which are of other classes.
      if (cycle === undefined || new Set(cycle.map(({ from }) => from)).size < cycle.length) continue
      anomalies.push({
        kind,
        transactions: cycle.map(({ from }) => history[from]!.name),
        explanation: explainCycle(cycle, (at) => history[at]!.name)
      })
    }
  }
  return { anomalies, undecided: Array.from(undecided) }
}

function show(values: ReadonlyArray<number>): string {
  return `[${values.join(" ")}]`
}
