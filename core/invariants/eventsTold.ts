/**
 * E1 of `core/event/Event.ts`: what has happened and the event that tells of it are one commit, each once. No event tells of anything else, none is
 * changed, and only the leader forgets.
 */
import { events, type Event, type Kind } from "../event/Event.ts"
import type { Committed, Envelope } from "../facts/Envelope.ts"
import { type Fleet, fleets } from "../fleet/Fleet.ts"
import { type Instance, instances } from "../instance/Instance.ts"
import * as Leader from "../Leader.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

export const eventsTold: Invariant<null> = {
  name: "events-told",
  states: "What happens to fleets and instances is told by an event of the same commit, and nothing else is.",
  initial: () => null,
  step: (state, envelope) => {
    const commit = commitOf(envelope)
    if (commit === undefined) return state
    const told: Array<Event> = []
    for (const { key, after, before } of rowChanges(envelope, events)) {
      if (after !== null && before === null) told.push(after)
      else if (after !== null) return new Violation(`event ${key} was changed`, { before, after })
      else if (!isFencedBy(commit, Leader.lease)) {
        return new Violation(`event ${key} was forgotten by ${commit.label}, which does not lead`, { before })
      }
    }
    const happened = happenedIn(envelope)
    if (told.length === 0 && happened.lines.length === 0) return state
    const lines = told.map(lineOf)
    const [missing] = without(happened.lines, lines)
    if (missing !== undefined) return new Violation(`${commit.label} did not tell of this: ${missing}`, { told })
    const [extra] = without(lines, happened.lines)
    if (extra !== undefined) return new Violation(`${commit.label} told of what did not happen: ${extra}`, { told })
    return misreplaced(happened, told) ?? state
  }
}

/** In place of one that failed, or as one too many: which of the two is judged apart. */
const lineOf = ({ fleet, instance, kind }: Pick<Event, "fleet" | "instance" | "kind">): string => {
  const what = kind === "Replaced" || kind === "DeletionRequested" ? "the wish to end" : kind
  return instance === null ? `${what} of fleet ${fleet}` : `${what} of instance ${instance} of ${fleet ?? "no fleet"}`
}

interface Turnover {
  readonly created: Array<string>
  /** Those that were told to go. */
  readonly failed: Array<string>
  readonly others: Array<string>
}

interface Happened {
  readonly lines: ReadonlyArray<string>
  /** By fleet. */
  readonly turnovers: ReadonlyMap<string, Turnover>
}

function happenedIn(envelope: Envelope): Happened {
  const lines: Array<string> = []
  const turnovers = new Map<string, Turnover>()
  for (const { key, after, before } of rowChanges(envelope, instances)) {
    const { fleet } = (after ?? before)!
    for (const kind of ofInstance(before, after)) lines.push(lineOf({ fleet, instance: key, kind }))
    if (fleet !== null) count(turnovers, fleet, before, after)
  }
  for (const { key, after, before } of rowChanges(envelope, fleets)) {
    for (const kind of ofFleet(before, after)) lines.push(lineOf({ fleet: key, instance: null, kind }))
  }
  // A client takes away what it likes; only who holds a fence scales.
  const isScaling = (commitOf(envelope)?.fences.length ?? 0) > 0
  for (const [fleet, { created, failed, others }] of turnovers) {
    const isEven = created.length === failed.length + others.length
    if (isScaling && !isEven) lines.push(lineOf({ fleet, instance: null, kind: "Scaled" }))
  }
  return { lines, turnovers }
}

function ofInstance(before: Instance | null, after: Instance | null): ReadonlyArray<Kind> {
  if (before === null || after === null) return []
  const kinds: Array<Kind> = []
  const isMoved = before.state !== after.state
  if (isMoved && after.state === "ERROR" && after.reason !== null) kinds.push(after.reason)
  if (isMoved && after.state === "RUNNING" && (before.state === "ERROR" || before.failures !== null)) {
    kinds.push("Recovered")
  }
  if (isAsked(before, after)) kinds.push("DeletionRequested")
  else if (isRedriven(before, after) && !isMoved) kinds.push("Redriven")
  if (before.parkedAt === null && after.parkedAt !== null) kinds.push("Parked")
  return kinds
}

function ofFleet(before: Fleet | null, after: Fleet | null): ReadonlyArray<Kind> {
  if (before === null) return []
  if (after === null) return ["Removed"]
  const kinds: Array<Kind> = []
  if (before.pausedAt === null && after.pausedAt !== null) kinds.push("Paused")
  if (before.pausedAt !== null && after.pausedAt === null) kinds.push("Resumed")
  if (isAsked(before, after)) kinds.push("DeletionRequested")
  if (before.parkedAt === null && after.parkedAt !== null) kinds.push("Parked")
  // Another wish is a new try as well, and is told of otherwise.
  if (isRedriven(before, after) && before.generation === after.generation) kinds.push("Redriven")
  return kinds
}

type Parkable = Pick<Fleet, "parkedAt" | "dueAt" | "deletionRequestedAt">

const isAsked = (before: Parkable, after: Parkable): boolean =>
  before.deletionRequestedAt === null && after.deletionRequestedAt !== null

/** It is to be looked at again; what is forgotten because all is well is not. */
const isRedriven = (before: Parkable, after: Parkable): boolean =>
  before.parkedAt !== null && after.parkedAt === null && after.dueAt !== null

function count(turnovers: Map<string, Turnover>, fleet: string, before: Instance | null, after: Instance | null): void {
  const turnover = turnovers.get(fleet) ?? { created: [], failed: [], others: [] }
  if (before === null && after !== null) turnover.created.push(after.uid)
  if (before !== null && after !== null && isAsked(before, after)) {
    turnover[before.state === "ERROR" ? "failed" : "others"].push(after.uid)
  }
  turnovers.set(fleet, turnover)
}

/** Of those that failed as many are replaced as others were made, each by another. */
function misreplaced({ turnovers }: Happened, told: ReadonlyArray<Event>): Violation | undefined {
  const replaced = told.filter(({ kind }) => kind === "Replaced")
  for (const [fleet, { created, failed }] of turnovers) {
    const own = replaced.filter((each) => each.fleet === fleet)
    const successors = new Set(own.map(({ detail }) => detail.slice("by ".length)))
    const isRight =
      own.length === Math.min(created.length, failed.length) &&
      own.every(({ instance }) => failed.includes(instance!)) &&
      successors.size === own.length &&
      [...successors].every((uid) => created.includes(uid))
    if (!isRight)
      return new Violation(`fleet ${fleet}: who replaces whom is not told as it is`, { own, created, failed })
  }
  return replaced.every(({ fleet }) => fleet !== null && turnovers.has(fleet))
    ? undefined
    : new Violation("an instance of no fleet was told to be replaced", { replaced })
}

function isFencedBy({ fences }: Committed, lease: string): boolean {
  return fences.some((fence) => fence.lease === lease)
}

/** What is in the first more often than in the second. */
function without(all: ReadonlyArray<string>, some: ReadonlyArray<string>): ReadonlyArray<string> {
  const left = [...some]
  return all.filter((each) => {
    const at = left.indexOf(each)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
