/**
 * What a run reached, as a set of hashes: a fold over its facts. Two runs with the same features are alike for the search that learns, whatever
 * their digests.
 *
 * - R1 Which kinds of event happened while which fault was in force.
 * - R2 Which kind of event came right after which other one, on another node or on the same.
 * - R3 Which transaction changed a row after which other one had.
 * - R4 Which states the rows were in together: of each table, in each state none, one or several.
 */
import type { Committed, Envelope, RowChange } from "../../core/facts/Envelope.ts"
import * as Chance from "../kernel/Chance.ts"
import type { FaultActed, FaultUndone } from "../nemesis/Nemesis.ts"

/** Columns that say which phase a row is in, by the names in use for it. */
const phaseColumns = ["state", "phase", "status"] as const

export class Features {
  readonly #hashes = new Set<number>()
  readonly #inForce = new Set<string>()
  /** The last one of each node. */
  readonly #lastOf = new Map<string, string>()
  #last = { node: "", kind: "" }
  readonly #lastWriter = new Map<string, string>()
  /** "instances/RUNNING" to how many rows. */
  readonly #phases = new Map<string, number>()

  get hashes(): ReadonlyArray<number> {
    return [...this.#hashes]
  }

  hear({ fact, node }: Envelope): void {
    if (fact._tag === "FaultActed") this.#inForce.add((fact as FaultActed).fault)
    if (fact._tag === "FaultUndone") this.#inForce.delete((fact as FaultUndone).fault)
    const kind = fact._tag === "Committed" ? `commit ${(fact as Committed).label}` : fact._tag
    for (const fault of this.#inForce) this.#reached(`during/${fault}/${kind}`)
    this.#reached(`then/${this.#lastOf.get(node) ?? ""}/${kind}`)
    if (this.#last.node !== node) this.#reached(`after/${this.#last.kind}/${kind}`)
    this.#lastOf.set(node, kind)
    this.#last = { node, kind }
    if (fact._tag === "Committed") this.#committed(fact as Committed)
  }

  #committed({ changes, label }: Committed): void {
    for (const change of changes) {
      const row = `${change.table}/${change.key}`
      this.#reached(`row/${this.#lastWriter.get(row) ?? ""}/${label}`)
      this.#lastWriter.set(row, label)
      this.#move(change)
    }
    const together = [...this.#phases].map(([phase, count]) => `${phase}=${Math.min(count, 2)}`).toSorted()
    this.#reached(`together/${together.join(" ")}`)
  }

  #move({ after, before, table }: RowChange): void {
    const from = phaseOf(before)
    const to = phaseOf(after)
    if (from === to) return
    this.#reached(`move/${table}/${from ?? ""}/${to ?? ""}`)
    this.#count(table, from, -1)
    this.#count(table, to, 1)
  }

  #count(table: string, phase: string | undefined, by: number): void {
    if (phase === undefined) return
    const name = `${table}/${phase}`
    this.#phases.set(name, (this.#phases.get(name) ?? 0) + by)
  }

  #reached(feature: string): void {
    this.#hashes.add(Chance.hashText(feature))
  }
}

function phaseOf(row: RowChange["before"]): string | undefined {
  if (row === null) return undefined
  for (const column of phaseColumns) {
    const value = row[column]
    if (typeof value === "string") return value
  }
  return "there"
}
