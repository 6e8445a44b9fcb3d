/**
 * The mesh workloads that every simulator here is measured with.
 *
 * Heartbeat mesh: each of N hosts sends, every 50 ms of virtual time, a ping to every other, which answers with a pong;
 * a message takes 1 to 10 whole milliseconds, uniformly. Partition storm: the same, and at 5, 10, 15 … s the hosts are cut in
 * two for 2 s; what is sent across the cut is lost. Every implementation delivers the same number of messages.
 */

export interface Workload {
  readonly hosts: number
  readonly seconds: number
  readonly isStorm: boolean
}

export const beatMillis = 50
export const latencyMillisMin = 1
export const latencyMillisMax = 10
export const cutEveryMillis = 5_000
export const cutMillis = 2_000

export interface Message {
  readonly kind: "ping" | "pong"
  readonly from: number
  readonly nth: number
}

/** Uniform in [0, 1): Mulberry32 (Tommy Ettinger). */
export const mulberry32 = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let hash = Math.imul(state ^ (state >>> 15), 1 | state)
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash
    return ((hash ^ (hash >>> 14)) >>> 0) / 4294967296
  }
}

/** The next cut: a bit per host, neither none nor all of them set. */
export const nextCut = (draw: () => number, hosts: number): number => 1 + Math.floor(draw() * (2 ** hosts - 2))

/** How many messages arrive before the end, without cuts: the last pings are still on their way. */
export const expectedDeliveries = ({ hosts, seconds }: Workload): number =>
  ((seconds * 1_000) / beatMillis - 1) * hosts * (hosts - 1) * 2
