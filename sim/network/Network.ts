/**
 * The simulated network of one world: hosts, directed links, rules, and what travels on them.
 *
 * - W1 Whatever is transmitted asks the rules in the order they were installed; the first that does not pass decides.
 *   What a node sends to itself skips them.
 * - W2 Every chance is a hash of (seed, link, connection, nth message), so that one fault less leaves every other
 *   message's fate as it was.
 * - W3 A fault is data: rules and hazards carry the name of the fault kind, told whenever they changed a delivery.
 */
import * as Chance from "../kernel/Chance.ts"
import type { Kernel } from "../kernel/Kernel.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import type { Hazards } from "../nemesis/Hazards.ts"

export type Lane = "connect" | "segment" | "datagram"

/** What is about to be transmitted. */
export interface Packet {
  readonly source: string
  readonly target: string
  readonly lane: Lane
  /** Counts the connections of the link from 0; -1 for datagrams. */
  readonly connection: number
  /** Counts the messages of the connection's direction, or the datagrams of the link, from 0. */
  readonly nth: number
}

export type Verdict =
  | { readonly _tag: "Pass" }
  /** Arrives later by so much; nothing else is decided. */
  | { readonly _tag: "Delay"; readonly micros: number }
  /** Lost: connections send again until their limit, datagrams are gone. */
  | { readonly _tag: "Drop" }
  /** Kept, and sent in one burst when the rule is removed. */
  | { readonly _tag: "Hold" }
  /** The connection breaks at both ends; a datagram is lost. */
  | { readonly _tag: "Reset" }

export interface Rule {
  readonly name: string
  /** The fault kind that is told when the rule did not let a packet pass. */
  readonly fault: string
  readonly onPacket: (packet: Packet) => Verdict
}

export const pass: Verdict = { _tag: "Pass" }
export const drop: Verdict = { _tag: "Drop" }
export const hold: Verdict = { _tag: "Hold" }

/** What becomes of a packet: the delay until it arrives, or why it does not; `Dead` means that none will any more. */
export type Fate = number | "Drop" | "Hold" | "Reset" | "Dead"

export interface Latency {
  readonly minimumMicros: number
  readonly maximumMicros: number
  /** Delays are whole multiples of this. */
  readonly stepMicros: number
}

export const defaultLatency: Latency = { minimumMicros: 200, maximumMicros: 1_500, stepMicros: 1 }

/** A tail of up to 3 s, as a lost packet and its retransmissions make it. */
const tailMicrosMax = 3_000_000
/** How far messages of different connections change their order. */
const reorderMicrosMax = 250_000

/** One direction between two hosts. */
export class Link {
  readonly source: string
  readonly target: string
  readonly name: string
  readonly key: Chance.Key
  connections = 0
  datagrams = 0
  /** Added to every delivery for good. */
  extraMicros = 0

  constructor(source: string, target: string, root: Chance.Key) {
    this.source = source
    this.target = target
    this.name = `${source}>${target}`
    this.key = Chance.derive(root, this.name)
  }
}

/** Who accepts connections at "host:port"; `accept` is a matter of Connection.ts. */
export interface Listener {
  readonly node: SimNode
  readonly incarnation: number
  readonly accept: (end: never) => unknown
}

/** Where datagrams for a host go: to whoever of the host's present life has opened a mailbox; its type is a matter of Datagrams.ts. */
export interface Inbox {
  mailbox: unknown
}

export class Network {
  readonly #inboxes = new Map<string, Inbox>()
  readonly ports = new Map<string, Listener>()
  readonly kernel: Kernel
  readonly hazards: Hazards
  #latency: Latency = defaultLatency
  /** How many delays the latency has. */
  #latencyCount = countOf(defaultLatency)
  readonly #key: Chance.Key
  readonly #hosts = new Map<string, SimNode>()
  readonly #links = new Map<string, Map<string, Link>>()
  readonly #rules: Array<Rule> = []
  /** Told when a rule is gone, so that what it held is sent. */
  readonly #releases: Array<() => void> = []

  constructor(kernel: Kernel, hazards: Hazards) {
    this.kernel = kernel
    this.hazards = hazards
    this.#key = Chance.derive(kernel.key, "network")
  }

  get latency(): Latency {
    return this.#latency
  }

  set latency(latency: Latency) {
    this.#latency = latency
    this.#latencyCount = countOf(latency)
  }

  addHost(node: SimNode): void {
    this.#hosts.set(node.name, node)
  }

  host(name: string): SimNode | undefined {
    return this.#hosts.get(name)
  }

  inbox(host: string): Inbox {
    let inbox = this.#inboxes.get(host)
    if (inbox === undefined) this.#inboxes.set(host, (inbox = { mailbox: undefined }))
    return inbox
  }

  get hostNames(): ReadonlyArray<string> {
    return [...this.#hosts.keys()]
  }

  link(source: string, target: string): Link {
    let links = this.#links.get(source)
    if (links === undefined) this.#links.set(source, (links = new Map()))
    let link = links.get(target)
    if (link === undefined) links.set(target, (link = new Link(source, target, this.#key)))
    return link
  }

  /** Installs a rule behind the others; returns the function that removes it and lets go what it held. */
  addRule(rule: Rule): () => void {
    this.#rules.push(rule)
    return () => {
      const index = this.#rules.indexOf(rule)
      if (index < 0) return
      this.#rules.splice(index, 1)
      for (const release of this.#releases.splice(0)) release()
    }
  }

  /** Calls back as soon as any rule is removed. */
  onRelease(release: () => void): void {
    this.#releases.push(release)
  }

  /** Cuts every link between hosts of different groups; hosts in no group keep all their links. Returns how to heal it. */
  partition(...groups: ReadonlyArray<ReadonlyArray<string>>): () => void {
    const groupOf = new Map(groups.flatMap((names, group) => names.map((name) => [name, group] as const)))
    return this.addRule({
      name: `partition ${groups.map((names) => names.join(",")).join(" | ")}`,
      fault: groups.length > 2 ? "network/partition-groups" : "network/partition",
      onPacket: ({ source, target }) => {
        const from = groupOf.get(source)
        const to = groupOf.get(target)
        return from !== undefined && to !== undefined && from !== to ? drop : pass
      }
    })
  }

  /** Cuts what the sources send to the targets, and not what comes back. */
  partitionOneWay(sources: ReadonlyArray<string>, targets: ReadonlyArray<string>): () => void {
    return this.addRule({
      name: `one way ${sources.join(",")} > ${targets.join(",")}`,
      fault: "network/partition-one-way",
      onPacket: ({ source, target }) => (sources.includes(source) && targets.includes(target) ? drop : pass)
    })
  }

  /** Cuts a host from all others. */
  isolate(name: string): () => void {
    return this.addRule({
      name: `isolate ${name}`,
      fault: "network/isolate",
      onPacket: ({ source, target }) => ((source === name) !== (target === name) ? drop : pass)
    })
  }

  /** What becomes of a packet, by rules first and hazards then. */
  fate(link: Link, lane: Lane, connection: number, nth: number, key: Chance.Key): Fate {
    const latency = this.#latency
    let delay =
      latency.minimumMicros + (Chance.bits(key, nth) % this.#latencyCount) * latency.stepMicros + link.extraMicros
    if (link.extraMicros > 0) this.kernel.facts.effect("network/link-latency")
    if (link.source === link.target) return latency.minimumMicros
    if (this.#rules.length > 0) {
      const packet: Packet = { source: link.source, target: link.target, lane, connection, nth }
      for (const rule of this.#rules) {
        const verdict = rule.onPacket(packet)
        if (verdict._tag === "Pass") continue
        this.kernel.facts.effect(rule.fault)
        if (verdict._tag !== "Delay") return verdict._tag
        delay += verdict.micros
        break
      }
    }
    const { hazards } = this
    if (!hazards.isAnyActive) return delay
    const subject = `${link.name}/${connection}`
    if (hazards.hit("network/loss", subject, nth) !== undefined) return lane === "datagram" ? "Drop" : "Reset"
    if (lane === "segment" && hazards.hit("network/half-open", subject, nth) !== undefined) return "Dead"
    if (lane === "segment" && hazards.hit("network/reset", subject, nth) !== undefined) return "Reset"
    if (hazards.hit("network/latency-tail", subject, nth) !== undefined) {
      delay += Math.ceil(hazards.fraction("network/latency-tail", subject, nth) ** 3 * tailMicrosMax)
    }
    if (hazards.hit("network/reordering", subject, nth) !== undefined) {
      delay += Math.ceil(hazards.fraction("network/reordering", subject, nth) * reorderMicrosMax)
    }
    return delay
  }
}

function countOf({ maximumMicros, minimumMicros, stepMicros }: Latency): number {
  return Math.floor((maximumMicros - minimumMicros) / stepMicros) + 1
}
