/**
 * Where a run is, in memory that another thread can read while this one does not come back: virtual time, and the node
 * whose tasks run. Changes no step.
 */
import type { World } from "../run/World.ts"

export interface Place {
  readonly atMicros: number
  /** Undefined between tasks: in the scenario, an invariant, or the simulator itself. */
  readonly node: string | undefined
  /** True while the thread itself comes up: nobody's program is to blame for how long that takes. */
  readonly isBooting: boolean
  /** True before there is a world: the file of the scenario is being imported. */
  readonly isLoading: boolean
}

const nobody = -1
const loading = -2
const booting = -3
const nodesMax = 256
const nameBytes = 64
/** Virtual time and the index of the node, then the nodes' names in order of registration. */
const headBytes = 16

export const make = (): SharedArrayBuffer => {
  const buffer = new SharedArrayBuffer(headBytes + nodesMax * nameBytes)
  new Float64Array(buffer, 0, 2).set([0, booting])
  return buffer
}

/** The scenario is being loaded, until a world is followed. */
export const load = (buffer: SharedArrayBuffer): void => {
  new Float64Array(buffer, 0, 2).set([0, loading])
}

/** Writes where the world's run is, from now on. */
export const follow = (world: World, buffer: SharedArrayBuffer): void => {
  const head = new Float64Array(buffer, 0, 2)
  head[0] = 0
  head[1] = nobody
  const named = new Set<number>()
  world.kernel.onTurn = (node) => {
    head[0] = world.nowMicros
    const isKept = node !== undefined && node.index < nodesMax
    head[1] = isKept ? node.index : nobody
    if (!isKept || named.has(node.index)) return
    named.add(node.index)
    writeName(buffer, node.index, node.name)
  }
}

export const read = (buffer: SharedArrayBuffer): Place => {
  const [atMicros = 0, index = nobody] = new Float64Array(buffer, 0, 2)
  return {
    atMicros,
    node: index < 0 ? undefined : readName(buffer, index),
    isBooting: index === booting,
    isLoading: index === loading
  }
}

function writeName(buffer: SharedArrayBuffer, index: number, name: string): void {
  const bytes = new Uint8Array(buffer, headBytes + index * nameBytes, nameBytes)
  bytes.fill(0)
  bytes.set(new TextEncoder().encode(name).subarray(0, nameBytes))
}

function readName(buffer: SharedArrayBuffer, index: number): string {
  // A copy: the decoder takes no shared memory.
  const bytes = new Uint8Array(buffer, headBytes + index * nameBytes, nameBytes).slice()
  return new TextDecoder().decode(bytes).replace(/\0+$/, "")
}
