/** What is told of a fleet, and of what its owner does with its instances. Pure. */
import type { Told } from "../event/Event.ts"
import type { Instance } from "../instance/Instance.ts"
import * as instanceEvents from "../instance/instanceEvents.ts"
import type { Fleet } from "./Fleet.ts"

type Named = Pick<Fleet, "id" | "project">

/** What the owner did: `live` it found, `gone` it told to go, `created` it made. */
export interface Scaling {
  readonly live: ReadonlyArray<Pick<Instance, "uid" | "state">>
  readonly gone: ReadonlyArray<Instance>
  readonly created: ReadonlyArray<Pick<Instance, "uid" | "ordinal">>
}

/**
 * Another number of live instances is told of the fleet; who takes the place of one that failed, and what is one too many, of the instances.
 * A place is that of the same ordinal where it is taken again, else the next one.
 */
export const scaled = (
  fleet: Pick<Fleet, "id" | "project" | "desired" | "deletionRequestedAt">,
  { created, gone, live }: Scaling
): ReadonlyArray<Told> => {
  const failed = new Set(live.filter(({ state }) => state === "ERROR").map(({ uid }) => uid))
  const free = [...created]
  const successorOf = new Map<string, string>()
  const take = ({ uid }: Instance, at: number) => {
    const [successor] = at < 0 ? [] : free.splice(at, 1)
    if (successor !== undefined) successorOf.set(uid, successor.uid)
  }
  const replaceable = gone.filter(({ uid }) => failed.has(uid))
  for (const each of replaceable)
    take(
      each,
      free.findIndex(({ ordinal }) => ordinal === each.ordinal)
    )
  for (const each of replaceable) if (!successorOf.has(each.uid)) take(each, 0)
  const after = live.length - gone.length + created.length
  const why = fleet.deletionRequestedAt === null ? `one too many: ${fleet.desired} are wanted` : "its fleet is deleted"
  return [
    ...(after === live.length ? [] : [about(fleet, "Scaled", `from ${live.length} to ${after}`)]),
    ...gone.map((each) => {
      const successor = successorOf.get(each.uid)
      return successor === undefined
        ? instanceEvents.deletionRequested(each, why)
        : instanceEvents.replaced(each, successor)
    })
  ]
}

/** Of another wish: whether it is paused, and is no more. */
export const wished = (read: Pick<Fleet, "pausedAt">, now: Fleet): ReadonlyArray<Told> => {
  if ((read.pausedAt === null) === (now.pausedAt === null)) return []
  return [
    now.pausedAt === null
      ? about(now, "Resumed", "it is worked on again")
      : about(now, "Paused", "nothing is created for it or taken away")
  ]
}

export const parked = (now: Fleet): Told =>
  about(now, "Parked", `not tried any more after ${instanceEvents.failuresOf(now)}: ${now.failure ?? ""}`)

export const redriven = (now: Named): Told => about(now, "Redriven", "tried again, as if nothing had failed")

export const deletionRequested = (now: Named): Told => about(now, "DeletionRequested", "by request")

export const removed = (read: Named): Told => about(read, "Removed", "no instance of it is left")

function about({ id, project }: Named, kind: Told["kind"], detail: string): Told {
  return { project, fleet: id, instance: null, kind, detail }
}
