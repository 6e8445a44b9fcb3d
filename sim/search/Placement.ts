/**
 * Single faults at the moments that matter: one run without faults is the reference, and each of its writes, messages and outside effects is
 * a place for a fault. The patterns are those of Sieve (Sun et al., OSDI 2022): whoever wrote dies right after its kth write (intermediate
 * state), sleeps past everybody's patience and goes on (stale state), or hears nothing for a while (unobserved state).
 *
 * - P1 A place is named by the fact and its count, so that a plan with it stays true as long as the run up to it does.
 * - P2 Places of one class (same fact, same label) are tried from all over the run before any two that are near each other, and every class
 *   before any class again: most tell nothing new. In the end every place has been tried with every fault of its class.
 */
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { Fault, FactPattern, FaultPlan } from "../nemesis/FaultPlan.ts"

export interface Place {
  /** What all places of its class have in common. */
  readonly class: string
  readonly pattern: FactPattern
  /** Which of the facts that match, from 1. */
  readonly nth: number
  /** The node that acted. */
  readonly node: string
  /** The node that it spoke to, or whose answer it waits for. */
  readonly peer: string | undefined
  readonly kind: "write" | "message" | "effect"
}

/** Of the simulator itself: they are not what a program did. */
const notActs: ReadonlySet<string> = new Set([
  "TimerSet",
  "Delivered",
  "SpanStarted",
  "SpanEnded",
  "Closed",
  "ClockSet",
  "FaultEffect",
  "FaultActed",
  "FaultUndone",
  "NodeStarted",
  "NodeExited",
  "NodeStopping",
  "NodeCrashed",
  "NodePaused",
  "NodeResumed",
  "SessionOpened"
])

/** The places of a run, in its order. Facts are complete and in order, so that causes can be followed. */
export const placesOf = (facts: ReadonlyArray<Envelope>, isVictim: (node: string) => boolean): ReadonlyArray<Place> => {
  const counts = new Map<string, number>()
  const places: Array<Place> = []
  for (const envelope of facts) {
    const { fact, node } = envelope
    if (notActs.has(fact._tag)) continue
    const { label, to } = fact as unknown as { readonly label?: string; readonly to?: string }
    const where = { ...(label === undefined ? {} : { label }), ...(to === undefined ? {} : { to }) }
    const from = fact._tag === "Sent" ? { node } : {}
    const pattern: FactPattern = {
      fact: fact._tag,
      ...from,
      ...(Object.keys(where).length === 0 ? {} : { where })
    }
    const key = JSON.stringify(pattern)
    const nth = (counts.get(key) ?? 0) + 1
    counts.set(key, nth)
    const writer = fact._tag === "Committed" ? writerOf(facts, envelope) : undefined
    const actor = writer?.node ?? node
    if (!isVictim(actor)) continue
    if (fact._tag === "Committed" && !changesAnything(fact)) continue
    places.push({
      class: `${fact._tag} ${label ?? ""} ${fact._tag === "Sent" ? `${roleOf(node)}>${roleOf(to ?? "")}` : ""}`,
      pattern,
      nth,
      node: actor,
      peer: writer === undefined ? to : node,
      kind: fact._tag === "Committed" ? "write" : fact._tag === "Sent" ? "message" : "effect"
    })
  }
  return places
}

/** Who sent the message because of which this was committed. */
function writerOf(facts: ReadonlyArray<Envelope>, committed: Envelope): Envelope | undefined {
  let envelope: Envelope | undefined = committed
  while (envelope !== undefined && envelope.node === committed.node) {
    const { cause }: Envelope = envelope
    // Ids count up from 1 without gaps.
    envelope = cause === 0 ? undefined : facts[cause - 1]
  }
  return envelope
}

function changesAnything(fact: Envelope["fact"]): boolean {
  const { changes = [] } = fact as unknown as { readonly changes?: ReadonlyArray<unknown> }
  return changes.length > 0
}

/** "n3" and "n1" play the same part. */
function roleOf(node: string): string {
  return node.replace(/[-\d]+$/, "")
}

type Action = (place: Place) => Pick<Fault, "fault" | "target" | "with" | "for"> | undefined

const onActor =
  (fault: string, lasts: string): Action =>
  ({ node }) => ({ target: node, fault, for: lasts })

const between =
  (fault: string, lasts: string): Action =>
  ({ node, peer }) =>
    peer === undefined ? undefined : { target: node, with: peer, fault, for: lasts }

const fromPeer =
  (fault: string, lasts: string): Action =>
  ({ node, peer }) =>
    peer === undefined ? undefined : { target: peer, with: node, fault, for: lasts }

const actions: Readonly<Record<Place["kind"], ReadonlyArray<Action>>> = {
  write: [
    onActor("process/kill", "9s"),
    onActor("process/pause", "12s"),
    onActor("process/restart", "200ms"),
    fromPeer("network/partition-one-way", "8s"),
    onActor("process/stop", "1s")
  ],
  message: [
    onActor("process/pause", "12s"),
    between("network/partition", "10s"),
    onActor("network/clog", "4s"),
    fromPeer("network/partition-one-way", "10s")
  ],
  effect: [onActor("process/restart", "200ms"), onActor("process/pause", "12s"), onActor("network/isolate", "10s")]
}

/** Every place with every fault of its kind, each a plan of one fault; the most different ones first (P2). */
export function* placements(places: ReadonlyArray<Place>): Generator<FaultPlan, void, void> {
  const classes = [...Map.groupBy(places, ({ class: name }) => name).values()]
  const orders = classes.map(({ length }) => spread(length))
  const mostMembers = Math.max(0, ...classes.map(({ length }) => length))
  const mostActions = Math.max(...Object.values(actions).map(({ length }) => length))
  for (let turn = 0; turn < mostMembers * mostActions; turn++) {
    for (const [position, members] of classes.entries()) {
      const known = actions[members[0]?.kind ?? "effect"]
      // Neighbours begin with different faults.
      const action = known[(turn + position) % mostActions]
      const index = orders[position]?.[Math.floor(turn / mostActions)]
      const place = index === undefined ? undefined : members[index]
      const fault = place === undefined ? undefined : action?.(place)
      if (place === undefined || fault === undefined) continue
      yield { version: 1, faults: [{ when: { on: place.pattern, nth: place.nth }, ...fault }] }
    }
  }
}

/** 0 … count - 1 in an order that halves the gaps (van der Corput). */
export const spread = (count: number): ReadonlyArray<number> => {
  const bits = Math.ceil(Math.log2(Math.max(1, count)))
  const reverse = (index: number) =>
    Array.from({ length: bits }, (_, bit) => (index >> bit) & 1).reduce((reversed, bit) => reversed * 2 + bit, 0)
  return Array.from({ length: 2 ** bits }, (_, index) => reverse(index)).filter((index) => index < count)
}
