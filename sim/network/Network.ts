/**
 * The simulated network of one world: hosts, directed links, rules, and what travels on them.
 *
 * - W1 Whatever is transmitted asks the rules in the order they were installed; the first that does not pass decides.
 *   What a node sends to itself skips them, and the hazards too.
 * - W2 Every chance is a hash of (seed, flow, nth message), so that one fault less leaves every other message's fate as it
 *   was. A flow is what numbers its own messages: a direction of a connection, its connects, the datagrams of a link.
 * - W3 A fault is data: rules and hazards carry the name of the fault kind. It is told exactly when they changed what becomes
 *   of a packet: a delay that moves no arrival is not.
 * - W4 What a rule keeps waits for that rule alone; let go, it asks those that are left.
 *
 * Absent on purpose: acknowledgements. They pass whatever the rules say, so a one-way cut stops one direction only.
 */
import * as Chance from "../kernel/Chance.ts"
import type { FactStream } from "../kernel/FactStream.ts"
import type { Kernel } from "../kernel/Kernel.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import type { Hazards } from "../nemesis/Hazards.ts"

/** `connect` is what opens a connection, there and back; `reset` says that it is over, or that nobody listens. */
export type Lane = "connect" | "segment" | "reset" | "datagram"

/** What is about to be transmitted. */
export class Packet {
  readonly #key: Chance.Key
  readonly source: string
  readonly target: string
  readonly lane: Lane
  /** Counts the connections of the link of the end that opened it, from 0; -1 for datagrams. */
  readonly connection: number
  /** Counts the messages of the flow from 0. */
  readonly nth: number
  /** How often the same message was sent before in vain. */
  readonly attempt: number
  /** The datagram, the bytes, the HTTP frame; undefined where nothing but the connection itself is spoken of. */
  readonly message: unknown

  constructor(flow: Flow, lane: Lane, nth: number, attempt: number, message: unknown) {
    this.#key = flow.key
    this.source = flow.link.source
    this.target = flow.link.target
    this.lane = lane
    this.connection = flow.connection
    this.nth = nth
    this.attempt = attempt
    this.message = message
  }

  /** Uniform in [0, 1) and this packet's own: whatever a rule decides by it moves no other packet. */
  fraction(name: string): number {
    return Chance.fraction(Chance.derive(this.#key, `${name}/${this.attempt}`), this.nth)
  }
}

export type Verdict =
  | { readonly _tag: "Pass" }
  /** Arrives later by so much; the rules behind are not asked. */
  | { readonly _tag: "Delay"; readonly micros: number }
  /** Lost: connections send again until their limit, datagrams are gone. */
  | { readonly _tag: "Drop" }
  /** Kept, and sent in one burst when the rule is removed. */
  | { readonly _tag: "Hold" }
  /** The connection breaks at both ends; a datagram is lost. */
  | { readonly _tag: "Reset" }

export interface Rule {
  /** The fault kind that is told when the rule changed what becomes of a packet. */
  readonly fault: string
  readonly onPacket: (packet: Packet) => Verdict
}

export const pass: Verdict = { _tag: "Pass" }
export const drop: Verdict = { _tag: "Drop" }
export const hold: Verdict = { _tag: "Hold" }
export const reset: Verdict = { _tag: "Reset" }
export const delay = (micros: number): Verdict => ({ _tag: "Delay", micros })

/** A rule in force, and what it keeps until it is removed. */
export class Keeper {
  readonly rule: Rule
  readonly #facts: FactStream
  readonly #kept: Array<() => void> = []

  constructor(rule: Rule, facts: FactStream) {
    this.rule = rule
    this.#facts = facts
  }

  /** Calls back as soon as the rule is removed; the effect is told here, once for what is kept. */
  keep(release: () => void): void {
    this.#facts.effect(this.rule.fault)
    this.#kept.push(release)
  }

  letGo(): void {
    for (const release of this.#kept.splice(0)) release()
  }
}

/** What becomes of a packet: the delay until it arrives, who keeps it, or why it does not arrive; after `Dead` none will. */
export type Fate = number | Keeper | "Drop" | "Reset" | "Dead"

export interface Latency {
  readonly minimumMicros: number
  readonly maximumMicros: number
  /** Delays are whole multiples of this. */
  readonly stepMicros: number
}

export const defaultLatency: Latency = { minimumMicros: 200, maximumMicros: 1_500, stepMicros: 1 }

/** Without any jitter. */
export const calmLatency: Latency = { minimumMicros: 500, maximumMicros: 500, stepMicros: 1 }

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

/** What numbers its own messages, and gives each its own chance. */
export class Flow {
  readonly link: Link
  /** -1 for datagrams. */
  readonly connection: number
  /** Names its occurrences: "a>b/3/opener". */
  readonly name: string
  readonly key: Chance.Key

  constructor(link: Link, connection: number, what: string) {
    this.link = link
    this.connection = connection
    this.name = `${link.name}/${what}`
    this.key = Chance.derive(link.key, what)
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
  readonly #rules: Array<Keeper> = []

  constructor(kernel: Kernel, hazards: Hazards) {
    this.kernel = kernel
    this.hazards = hazards
    this.#key = Chance.derive(kernel.noiseKey, "network")
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

  /** Whether any rule is installed. */
  get hasRules(): boolean {
    return this.#rules.length > 0
  }

  /** Installs a rule behind the others; returns the function that removes it and lets go what it kept. */
  addRule(rule: Rule): () => void {
    const keeper = new Keeper(rule, this.kernel.facts)
    this.#rules.push(keeper)
    return () => {
      const index = this.#rules.indexOf(keeper)
      if (index < 0) return
      this.#rules.splice(index, 1)
      keeper.letGo()
    }
  }

  /** Cuts every link between hosts of different groups; hosts in no group keep all their links. Returns how to heal it. */
  partition(...groups: ReadonlyArray<ReadonlyArray<string>>): () => void {
    return this.divide(groups.length > 2 ? "network/partition-groups" : "network/partition", groups)
  }

  /** `partition`, told under the name of another fault kind. */
  divide(fault: string, groups: ReadonlyArray<ReadonlyArray<string>>): () => void {
    this.#require(groups.flat())
    const groupOf = new Map(groups.flatMap((names, group) => names.map((name) => [name, group] as const)))
    return this.addRule({
      fault,
      onPacket: ({ source, target }) => {
        const from = groupOf.get(source)
        const to = groupOf.get(target)
        return from !== undefined && to !== undefined && from !== to ? drop : pass
      }
    })
  }

  /** Cuts what the sources send to the targets, and not what comes back. */
  partitionOneWay(sources: ReadonlyArray<string>, targets: ReadonlyArray<string>): () => void {
    this.#require([...sources, ...targets])
    return this.addRule({
      fault: "network/partition-one-way",
      onPacket: ({ source, target }) => (sources.includes(source) && targets.includes(target) ? drop : pass)
    })
  }

  /** Cuts a host from all others. */
  isolate(name: string): () => void {
    this.#require([name])
    return this.addRule({
      fault: "network/isolate",
      onPacket: ({ source, target }) => ((source === name) !== (target === name) ? drop : pass)
    })
  }

  /** A cut between hosts that there are not would cut nothing, and say nothing. */
  #require(names: ReadonlyArray<string>): void {
    const unknown = names.find((name) => !this.#hosts.has(name))
    if (unknown === undefined) return
    throw new Error(`there is no host "${unknown}" to cut off; there are: ${this.hostNames.join(", ")}`)
  }

  /**
   * What becomes of the nth message of a flow, by rules first and hazards then. It cannot arrive before `earliestMicros` from
   * now, because it follows another.
   */
  fate(flow: Flow, lane: Lane, nth: number, message: unknown, attempt = 0, earliestMicros = 0): Fate {
    const { link } = flow
    const latency = this.#latency
    if (link.source === link.target) return Math.max(latency.minimumMicros, earliestMicros)
    const { onChoicePoint, nowMicros: atMicros } = this.kernel
    onChoicePoint?.({ _tag: "Packet", atMicros, source: link.source, target: link.target })
    let delayMicros =
      latency.minimumMicros + (Chance.bits(flow.key, nth) % this.#latencyCount) * latency.stepMicros + link.extraMicros
    let delayedBy: string | undefined
    if (this.#rules.length > 0) {
      const packet = new Packet(flow, lane, nth, attempt, message)
      for (const keeper of this.#rules) {
        const verdict = keeper.rule.onPacket(packet)
        if (verdict._tag === "Pass" || (verdict._tag === "Reset" && lane === "reset")) continue
        if (verdict._tag === "Hold") return keeper
        if (verdict._tag !== "Delay") {
          this.kernel.facts.effect(keeper.rule.fault)
          return verdict._tag
        }
        if (verdict.micros > 0) {
          delayMicros += Math.ceil(verdict.micros)
          delayedBy = keeper.rule.fault
        }
        break
      }
    }
    if (this.hazards.isAnyActive && lane !== "reset") {
      const struck = this.#hazards(flow, lane, nth, delayMicros, earliestMicros)
      if (typeof struck !== "number") return struck
      delayMicros = struck
    }
    // What moves no arrival has no effect: behind a slower message, or where nothing was added.
    if (delayMicros <= earliestMicros) return earliestMicros
    if (link.extraMicros > 0) this.kernel.facts.effect("network/link-latency")
    if (delayedBy !== undefined) this.kernel.facts.effect(delayedBy)
    return delayMicros
  }

  /** Whether a hazard strikes what travels on a link. A strike alone is no effect: the caller tells it. */
  strikes(kind: string, link: Link, subject: string, nth: number): boolean {
    return (
      this.hazards.isAnyActive && link.source !== link.target && this.hazards.strike(kind, subject, nth) !== undefined
    )
  }

  #hazards(
    flow: Flow,
    lane: Lane,
    nth: number,
    delayMicros: number,
    earliestMicros: number
  ): number | "Drop" | "Reset" | "Dead" {
    const { hazards } = this
    const { name } = flow
    if (hazards.hit("network/loss", name, nth) !== undefined) return lane === "datagram" ? "Drop" : "Reset"
    if (lane === "segment" && hazards.hit("network/half-open", name, nth) !== undefined) return "Dead"
    if (lane === "segment" && hazards.hit("network/reset", name, nth) !== undefined) return "Reset"
    let tailMicros = 0
    const tail = hazards.strike("network/latency-tail", name, nth)
    if (tail !== undefined) {
      tailMicros =
        tail.parameters["millis"] === undefined
          ? Math.ceil(hazards.fraction("network/latency-tail", name, nth) ** 3 * tailMicrosMax)
          : Math.ceil(tail.parameters["millis"] * 1_000)
    }
    let shiftMicros = 0
    if (hazards.strike("network/reordering", name, nth) !== undefined) {
      shiftMicros = Math.ceil(hazards.fraction("network/reordering", name, nth) * reorderMicrosMax)
    }
    const totalMicros = delayMicros + tailMicros + shiftMicros
    if (totalMicros > earliestMicros) {
      if (tailMicros > 0) this.kernel.facts.effect("network/latency-tail")
      if (shiftMicros > 0) this.kernel.facts.effect("network/reordering")
    }
    return totalMicros
  }
}

function countOf({ maximumMicros, minimumMicros, stepMicros }: Latency): number {
  return Math.floor((maximumMicros - minimumMicros) / stepMicros) + 1
}
