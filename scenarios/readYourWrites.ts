/**
 * What a client reads agrees with what was acknowledged to it, and with what it has read: never an older state, never something that
 * is gone without anybody having asked for its end (Terry et al., Session Guarantees, PDIS 1994: read your writes, monotonic reads).
 *
 * A client asks one thing after the other, so that a read begins after all that it was told before. Only documents of fleets and
 * instances are judged.
 */
import type { DeletionAsked } from "../core/api/ApiFacts.ts"
import type { FleetView, InstanceView } from "../core/api/Views.ts"
import { type Invariant, Violation } from "../core/invariants/Invariant.ts"
import { listRowsMax } from "../core/Limits.ts"
import type { ClientAnswered, ClientRead } from "./Clients.ts"

/** What one client knows. */
interface Known {
  readonly fleets: Map<string, FleetView>
  readonly instances: Map<string, InstanceView>
}

interface State {
  readonly clients: Map<string, Known>
  /** The uids of which somebody has asked the end. */
  readonly asked: Set<string>
}

type Document = Partial<FleetView & InstanceView>

export const readYourWrites: Invariant<State> = {
  name: "read-your-writes",
  states: "what a client reads is not older than what it was told before",
  initial: () => ({ clients: new Map(), asked: new Set() }),
  step: (state, { fact, node }) => {
    switch (fact._tag) {
      case "DeletionAsked":
        state.asked.add((fact as DeletionAsked).uid)
        return state
      case "ClientAnswered":
        learn(knownTo(state, node), JSON.parse((fact as ClientAnswered).answer) as Document)
        return state
      case "ClientRead": {
        const read = fact as ClientRead
        const known = knownTo(state, node)
        const problem = judge(known, state.asked, read)
        const { nth: _nth, ...evidence } = read
        if (problem !== undefined) return new Violation(`${node} read ${problem}`, evidence)
        for (const document of documentsOf(read)) learn(known, document)
        return state
      }
      default:
        return state
    }
  }
}

function knownTo({ clients }: State, node: string): Known {
  const known = clients.get(node) ?? { fleets: new Map(), instances: new Map() }
  clients.set(node, known)
  return known
}

/** An answer that is replayed teaches nothing new. */
function learn(known: Known, document: Document): void {
  const { generation, id, revision, uid } = document
  if (id !== undefined && generation !== undefined) {
    if (generation > (known.fleets.get(id)?.generation ?? -1)) known.fleets.set(id, document as FleetView)
  } else if (uid !== undefined && revision !== undefined) {
    if (revision > (known.instances.get(uid)?.revision ?? -1)) known.instances.set(uid, document as InstanceView)
  }
}

function documentsOf({ answer, what }: ClientRead): ReadonlyArray<Document> {
  if (what === "members" || what === "leases") return []
  const shown = JSON.parse(answer) as Document | ReadonlyArray<Document>
  return "length" in shown ? (shown as ReadonlyArray<Document>) : [shown as Document]
}

function judge(known: Known, asked: ReadonlySet<string>, read: ClientRead): string | undefined {
  const documents = documentsOf(read)
  const seen = new Set(documents.flatMap(({ uid }) => uid ?? []))
  // Those of a fleet come and go as it is scaled.
  const mustBe = (uid: string) => known.instances.get(uid)?.fleet === null && !asked.has(uid)
  switch (read.what) {
    case "fleet": {
      const before = known.fleets.get(read.of)
      return before === undefined ? undefined : judgeFleet(before, documents[0] as Document)
    }
    case "instance":
      if (!seen.has(read.of)) return mustBe(read.of) ? `that there is no instance ${read.of}` : undefined
      break
    case "instances": {
      const lost =
        documents.length < listRowsMax
          ? [...known.instances.keys()].find((uid) => mustBe(uid) && !seen.has(uid))
          : undefined
      if (lost !== undefined) return `a list without instance ${lost}`
    }
  }
  for (const document of documents) {
    const before = known.instances.get(document.uid ?? "")
    const problem = before === undefined ? undefined : judgeInstance(before, document)
    if (problem !== undefined) return problem
  }
  return undefined
}

function judgeFleet(before: FleetView, after: Document): string | undefined {
  if (after.generation === undefined) return `that there is no fleet ${before.id}`
  if (after.generation > before.generation) return undefined
  if (after.generation === before.generation && after.desired === before.desired) return undefined
  const told = `generation ${before.generation} with ${before.desired}`
  return `generation ${after.generation} of fleet ${before.id} with ${after.desired}, and was told ${told}`
}

function judgeInstance(before: InstanceView, after: Document): string | undefined {
  if (after.revision! < before.revision) {
    return `revision ${after.revision} of instance ${before.uid}, and was told revision ${before.revision}`
  }
  if (before.deletionRequestedAt === null || after.deletionRequestedAt !== null) return undefined
  return `instance ${before.uid} as wanted, and was told of its end`
}
