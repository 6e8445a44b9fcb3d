/**
 * Which transaction must have come before which, and the cycles of that relation, by class.
 *
 * - ww: the one overwrote what the other had written. wr: the one read it. rw: the one wrote over what the other had read.
 * - C1 A component without a cycle costs no more than its edges; a search for the shortest cycle is bounded by `steps`.
 */

export const ww = 1
export const wr = 2
export const rw = 4
export type EdgeKind = typeof ww | typeof wr | typeof rw

export interface Edge {
  readonly from: number
  readonly to: number
  readonly kind: EdgeKind
  readonly key: string
  /** The element that `from` appended (ww, wr) or that was the last one it read (rw); `undefined` for the empty list. */
  readonly seen: number | undefined
  /** The element that `to` appended next (ww, rw); `undefined` for wr. */
  readonly next: number | undefined
}

/** The edges that leave each node, one after the other. */
export interface DependencyGraph {
  readonly nodes: number
  readonly edges: ReadonlyArray<Edge>
  /** Where the edges of a node begin in `outgoing`; one more entry than there are nodes. */
  readonly offsets: Int32Array
  readonly outgoing: Int32Array
}

export const make = (nodes: number, edges: ReadonlyArray<Edge>): DependencyGraph => {
  const offsets = new Int32Array(nodes + 1)
  for (const { from } of edges) offsets[from + 1]!++
  for (let node = 0; node < nodes; node++) offsets[node + 1]! += offsets[node]!
  const filled = offsets.slice()
  const outgoing = new Int32Array(edges.length)
  for (const [index, { from }] of edges.entries()) outgoing[filled[from]!++] = index
  return { nodes, edges, offsets, outgoing }
}

export interface Components {
  /** The component of each node. */
  readonly of: Int32Array
  /** The nodes of those components that have more than one. */
  readonly cyclic: ReadonlyArray<ReadonlyArray<number>>
}

/** Strongly connected components over the edges of these kinds (Tarjan 1972, without recursion). */
export const components = (graph: DependencyGraph, kinds: number): Components => {
  const { nodes, edges, offsets, outgoing } = graph
  const of = new Int32Array(nodes).fill(-1)
  const index = new Int32Array(nodes).fill(-1)
  const low = new Int32Array(nodes)
  const nextEdge = offsets.slice(0, nodes)
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
  for (let root = 0; root < nodes; root++) {
    if (index[root] !== -1) continue
    enter(root)
    while (path.length > 0) {
      const node = path.at(-1)!
      if (nextEdge[node]! < offsets[node + 1]!) {
        const { kind, to } = edges[outgoing[nextEdge[node]!++]!]!
        if ((kind & kinds) === 0) continue
        if (index[to] === -1) enter(to)
        else if (of[to] === -1) low[node] = Math.min(low[node]!, index[to]!)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!)
      if (low[node] !== index[node]) continue
      const members = open.splice(open.lastIndexOf(node))
      for (const member of members) of[member] = found
      found++
      if (members.length > 1) cyclic.push(members)
    }
  }
  return { of, cyclic }
}

/** A class of cycles as a small automaton that reads the kinds of their edges, beginning with one of kind `first`. */
export interface CycleClass {
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
}

/** Breadth first from every edge that a cycle of the class may begin with, within one component. */
export const shortestCycle = (
  graph: DependencyGraph,
  { of }: Components,
  members: ReadonlyArray<number>,
  cycleClass: CycleClass,
  steps: number
): Search => {
  const { edges, offsets, outgoing } = graph
  const { first, states } = cycleClass
  const position = new Map(members.map((node, at) => [node, at]))
  const component = of[members[0]!]
  const reachedBy = new Int32Array(members.length * states)
  const cameBy = new Int32Array(members.length * states)
  const cameFrom = new Int32Array(members.length * states)
  let best: ReadonlyArray<Edge> | undefined
  let left = steps
  let round = 0

  const from = (start: Edge): void => {
    round++
    let depth = 1
    let level = [position.get(start.to)! * states]
    cameFrom[level[0]!] = -1
    reachedBy[level[0]!] = round
    while (level.length > 0 && depth + 1 < (best?.length ?? Infinity)) {
      const following: Array<number> = []
      for (const at of level) {
        const node = members[Math.floor(at / states)]!
        for (let next = offsets[node]!; next < offsets[node + 1]!; next++) {
          if (left-- <= 0) return
          const edge = edges[outgoing[next]!]!
          if (of[edge.to] !== component) continue
          const state = cycleClass.next(at % states, edge.kind)
          if (state === undefined) continue
          const reached = position.get(edge.to)! * states + state
          if (reachedBy[reached] === round) continue
          reachedBy[reached] = round
          cameFrom[reached] = at
          cameBy[reached] = outgoing[next]!
          if (edge.to !== start.from || !cycleClass.accepts(state)) {
            following.push(reached)
            continue
          }
          const cycle: Array<Edge> = []
          for (let back = reached; cameFrom[back] !== -1; back = cameFrom[back]!) cycle.push(edges[cameBy[back]!]!)
          best = [start, ...cycle.toReversed()]
          return
        }
      }
      level = following
      depth++
    }
  }

  for (const node of members) {
    for (let at = offsets[node]!; at < offsets[node + 1]!; at++) {
      const edge = edges[outgoing[at]!]!
      if (edge.kind !== first || of[edge.to] !== component) continue
      from(edge)
      if (best?.length === 2 || left <= 0) return { cycle: best, isExhaustive: left > 0 }
    }
  }
  return { cycle: best, isExhaustive: true }
}
