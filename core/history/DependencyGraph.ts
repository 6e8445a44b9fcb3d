/**
 * Which transaction must have come before which, and the cycles of that relation, by class.
 *
 * - ww: the one overwrote what the other had written. wr: the one read it. rw: the one wrote over what the other had read.
 *   process: one client did the one before the other. realTime: the one was over before the other began.
 * - C1 A component without a cycle costs no more than its edges; a search for the shortest cycle is bounded by `steps`.
 * - C2 Real time is no edge of its own: there would be one for nearly every pair. For the components it leads over moments,
 *   each of which comes before the next; a search asks the times themselves.
 */

export const ww = 1
export const wr = 2
export const rw = 4
export const process = 8
export const realTime = 16
export type EdgeKind = typeof ww | typeof wr | typeof rw | typeof process | typeof realTime

export interface Edge {
  readonly from: number
  readonly to: number
  readonly kind: EdgeKind
  /** The list; the client of a process order; "" of real time. */
  readonly key: string
  /** The element that `from` appended (ww, wr) or that was the last one it read (rw); `undefined` for the empty list. */
  readonly seen: number | undefined
  /** The element that `to` appended next (ww, rw); `undefined` for the others. */
  readonly next: number | undefined
}

/** When each node began and was over, on one clock; NaN for nodes that are in no real time. */
export interface NodeTimes {
  readonly called: Float64Array
  readonly returned: Float64Array
}

/** The edges that leave each node, one after the other. After the transactions come the moments. */
export interface DependencyGraph {
  /** Transactions. */
  readonly nodes: number
  readonly edges: ReadonlyArray<Edge>
  readonly times: NodeTimes | undefined
  /** Where the edges of a node begin in the arrays below; one more entry than there are nodes and moments. */
  readonly offsets: Int32Array
  readonly targets: Int32Array
  readonly kinds: Uint8Array
  /** Which of `edges` it is; -1 for those from and to moments. */
  readonly edgeOf: Int32Array
}

export const make = (nodes: number, edges: ReadonlyArray<Edge>, times?: NodeTimes): DependencyGraph => {
  const moments = times === undefined ? undefined : momentsOf(nodes, times)
  const passages = moments?.from.length ?? 0
  const all = nodes + (moments?.count ?? 0)
  const offsets = new Int32Array(all + 1)
  for (const { from } of edges) offsets[from + 1]!++
  for (let at = 0; at < passages; at++) offsets[moments!.from[at]! + 1]!++
  for (let node = 0; node < all; node++) offsets[node + 1]! += offsets[node]!
  const filled = offsets.slice()
  const targets = new Int32Array(edges.length + passages)
  const kinds = new Uint8Array(targets.length)
  const edgeOf = new Int32Array(targets.length)
  for (const [index, { from, kind, to }] of edges.entries()) {
    const at = filled[from]!++
    targets[at] = to
    kinds[at] = kind
    edgeOf[at] = index
  }
  for (let passage = 0; passage < passages; passage++) {
    const at = filled[moments!.from[passage]!]!++
    targets[at] = moments!.to[passage]!
    kinds[at] = realTime
    edgeOf[at] = -1
  }
  return { nodes, edges, times, offsets, targets, kinds, edgeOf }
}

/** A moment for each time at which something was over; it leads to the next, and to what began after it and before that. */
function momentsOf(nodes: number, { called, returned }: NodeTimes) {
  const ends = Float64Array.from(new Set(returned.filter(Number.isFinite))).toSorted()
  const from = new Int32Array(2 * nodes + ends.length)
  const to = new Int32Array(from.length)
  let count = 0
  const lead = (earlier: number, later: number): void => {
    from[count] = earlier
    to[count++] = later
  }
  for (let moment = 1; moment < ends.length; moment++) lead(nodes + moment - 1, nodes + moment)
  for (let node = 0; node < nodes; node++) {
    if (Number.isFinite(returned[node])) lead(node, nodes + before(ends, returned[node]!) + 1)
    const last = before(ends, called[node]!)
    if (last >= 0) lead(nodes + last, node)
  }
  return { count: ends.length, from: from.subarray(0, count), to }
}

/** The place of the last that is less; -1 where none is. */
function before(sorted: Float64Array, time: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < time) low = middle + 1
    else high = middle
  }
  return low - 1
}

export interface Components {
  /** The component of each node. */
  readonly of: Int32Array
  /** The transactions of those components that have more than one. */
  readonly cyclic: ReadonlyArray<ReadonlyArray<number>>
}

/** Strongly connected components over the edges of these kinds (Tarjan 1972, without recursion). */
export const components = (graph: DependencyGraph, allowed: number): Components => {
  const { kinds, nodes, offsets, targets } = graph
  const all = offsets.length - 1
  const of = new Int32Array(all).fill(-1)
  const index = new Int32Array(all).fill(-1)
  const low = new Int32Array(all)
  const nextEdge = offsets.slice(0, all)
  const open: Array<number> = []
  const path: Array<number> = []
  const cyclic: Array<ReadonlyArray<number>> = []
  let visited = 0
  let found = 0
  const enter = (node: number): void => {
    index[node] = low[node] = visited++
    open.push(node)
    path.push(node)
  }
  const close = (root: number): void => {
    const members: Array<number> = []
    let member
    do {
      member = open.pop()!
      of[member] = found
      if (member < nodes) members.push(member)
    } while (member !== root)
    found++
    if (members.length > 1) cyclic.push(members.toSorted((left, right) => left - right))
  }
  for (let root = 0; root < all; root++) {
    if (index[root] !== -1) continue
    enter(root)
    while (path.length > 0) {
      const node = path.at(-1)!
      if (nextEdge[node]! < offsets[node + 1]!) {
        const edge = nextEdge[node]!++
        if ((kinds[edge]! & allowed) === 0) continue
        const to = targets[edge]!
        if (index[to] === -1) enter(to)
        else if (of[to] === -1) low[node] = Math.min(low[node]!, index[to]!)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!)
      if (low[node] === index[node]) close(node)
    }
  }
  return { of, cyclic }
}

/** A class of cycles as a small automaton that reads the kinds of their edges, beginning with one of kind `first`. */
export interface CycleClass {
  /** Of which its cycles may be. */
  readonly kinds: number
  readonly first: EdgeKind
  readonly states: number
  /** After the first edge the state is 0; `undefined` where no cycle of the class goes on. */
  readonly next: (state: number, kind: EdgeKind) => number | undefined
  readonly accepts: (state: number) => boolean
}

export interface Search {
  /** The shortest cycle that was found: each edge begins where the one before ended. */
  readonly cycle: ReadonlyArray<Edge> | undefined
  /** False when the search ran out of steps: there may be a cycle, or a shorter one. */
  readonly isExhaustive: boolean
  readonly steps: number
}

/** Breadth first from every edge that a cycle of the class may begin with, within one component. */
export const shortestCycle = (
  graph: DependencyGraph,
  { of }: Components,
  members: ReadonlyArray<number>,
  cycleClass: CycleClass,
  steps: number
): Search => {
  const { edgeOf, edges, kinds, offsets, targets, times } = graph
  const { first, states } = cycleClass
  const position = new Map(members.map((node, at) => [node, at]))
  const component = of[members[0]!]
  const reachedBy = new Int32Array(members.length * states)
  const cameBy = new Int32Array(members.length * states)
  const cameFrom = new Int32Array(members.length * states)
  // By when they began: what is over leads to all from some place on, and whoever was reached so need not be looked at again.
  const hasTime = times !== undefined && (cycleClass.kinds & realTime) !== 0
  const begun = Int32Array.from(
    Array.from(members.keys()).filter((at) => hasTime && !Number.isNaN(times.called[members[at]!]))
  ).toSorted((left, right) => times!.called[members[left]!]! - times!.called[members[right]!]!)
  const calls = Float64Array.from(begun, (at) => times!.called[members[at]!]!)
  const timeReached = new Int32Array(states)
  let best: ReadonlyArray<Edge> | undefined
  let left = steps
  let round = 0

  const edgeInto = (reached: number): Edge => {
    const by = cameBy[reached]!
    if (by !== -1) return edges[by]!
    const from = members[Math.floor(cameFrom[reached]! / states)]!
    const to = members[Math.floor(reached / states)]!
    return { from, to, kind: realTime, key: "", seen: undefined, next: undefined }
  }

  const from = (start: Edge): void => {
    round++
    timeReached.fill(begun.length)
    let depth = 1
    let level = [position.get(start.to)! * states]
    let following: Array<number> = []
    cameFrom[level[0]!] = -1
    reachedBy[level[0]!] = round
    /** Whether the cycle is closed. */
    const reach = (at: number, by: number, place: number, state: number): boolean => {
      const reached = place * states + state
      if (reachedBy[reached] === round) return false
      reachedBy[reached] = round
      cameFrom[reached] = at
      cameBy[reached] = by
      if (members[place] !== start.from || !cycleClass.accepts(state)) {
        following.push(reached)
        return false
      }
      const cycle: Array<Edge> = []
      for (let back = reached; cameFrom[back] !== -1; back = cameFrom[back]!) cycle.push(edgeInto(back))
      best = [start, ...cycle.toReversed()]
      return true
    }
    const reachByTime = (at: number, node: number): boolean => {
      const state = cycleClass.next(at % states, realTime)
      const end = times!.returned[node]!
      if (state === undefined || !Number.isFinite(end)) return false
      // The first that began after it was over: not at the very moment.
      let low = 0
      let high = timeReached[state]!
      const all = high
      while (low < high) {
        const middle = (low + high) >>> 1
        if (calls[middle]! > end) high = middle
        else low = middle + 1
      }
      timeReached[state] = Math.min(low, all)
      for (let place = low; place < all; place++) {
        left--
        if (reach(at, -1, begun[place]!, state)) return true
      }
      return false
    }
    while (level.length > 0 && depth + 1 < (best?.length ?? Infinity)) {
      following = []
      for (const at of level) {
        const node = members[Math.floor(at / states)]!
        for (let next = offsets[node]!; next < offsets[node + 1]!; next++) {
          if (left-- <= 0) return
          const to = targets[next]!
          if (edgeOf[next] === -1 || (kinds[next]! & cycleClass.kinds) === 0 || of[to] !== component) continue
          const state = cycleClass.next(at % states, kinds[next] as EdgeKind)
          if (state !== undefined && reach(at, edgeOf[next]!, position.get(to)!, state)) return
        }
        if (hasTime && reachByTime(at, node)) return
      }
      level = following
      depth++
    }
  }

  for (const node of members) {
    for (let at = offsets[node]!; at < offsets[node + 1]!; at++) {
      if (kinds[at] !== first || edgeOf[at] === -1 || of[targets[at]!] !== component) continue
      from(edges[edgeOf[at]!]!)
      if (best?.length === 2 || left <= 0) return { cycle: best, isExhaustive: left > 0, steps: steps - left }
    }
  }
  return { cycle: best, isExhaustive: true, steps: steps - left }
}
