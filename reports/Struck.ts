/**
 * What the faults of a run did until some moment, a line for each kind, the last to act at the end: that is where to look first.
 *
 *   network/partition-one-way     n3 with n1 since 19.100 s; struck 7 times, the last at 20.302 s
 *   network/loss                  struck 94 times, the last at 20.311 s
 */
import type { Envelope } from "../core/facts/Envelope.ts"
import type { FaultActed, FaultUndone } from "../sim/nemesis/Nemesis.ts"

interface Kind {
  readonly name: string
  acted: { readonly atMicros: number; readonly hosts: string } | undefined
  undoneMicros: number | undefined
  strikes: number
  lastMicros: number
}

const linesMax = 10
/** More hosts than these are everybody. */
const hostsMax = 4

export const lines = (facts: ReadonlyArray<Envelope>, until: number): ReadonlyArray<string> => {
  const kinds = fold(facts, until)
  const did = kinds
    .filter(({ strikes }) => strikes > 0)
    .toSorted((left, right) => left.lastMicros - right.lastMicros)
    .map(describe)
  const idle = kinds.filter(({ strikes }) => strikes === 0).map(({ name }) => name)
  const shown = did.length <= linesMax ? did : [`… ${did.length - linesMax} earlier`, ...did.slice(-linesMax)]
  if (idle.length > 0)
    shown.push(`in force, and without effect: ${idle.slice(0, 6).join(", ")}${idle.length > 6 ? ", …" : ""}`)
  return shown.length === 0 ? ["none"] : shown
}

function fold(facts: ReadonlyArray<Envelope>, until: number): ReadonlyArray<Kind> {
  const kinds = new Map<string, Kind>()
  const of = (name: string): Kind => {
    let kind = kinds.get(name)
    if (kind === undefined) {
      kind = { name, acted: undefined, undoneMicros: undefined, strikes: 0, lastMicros: 0 }
      kinds.set(name, kind)
    }
    return kind
  }
  for (const { atMicros, fact, id } of facts) {
    if (id > until) break
    switch (fact._tag) {
      case "FaultActed": {
        const { fault, others, targets } = fact as FaultActed
        const kind = of(fault)
        const isEverybody = targets.length + others.length > hostsMax
        const sides = others.length === 0 ? [targets] : [targets, others]
        const hosts = isEverybody ? "" : sides.map((side) => side.join(", ")).join(" with ")
        kind.acted = { atMicros, hosts }
        kind.undoneMicros = undefined
        break
      }
      case "FaultUndone":
        of((fact as FaultUndone).fault).undoneMicros = atMicros
        break
      case "FaultEffect": {
        const kind = of((fact as unknown as { readonly fault: string }).fault)
        kind.strikes++
        kind.lastMicros = atMicros
        break
      }
    }
  }
  return [...kinds.values()]
}

function describe({ acted, lastMicros, name, strikes, undoneMicros }: Kind): string {
  const struck = `struck ${strikes === 1 ? "once, at" : `${strikes} times, the last at`} ${seconds(lastMicros)}`
  if (acted === undefined || acted.hosts === "") return `${name.padEnd(30)}${struck}`
  const when =
    undoneMicros === undefined
      ? `since ${seconds(acted.atMicros)}`
      : `from ${seconds(acted.atMicros)} to ${seconds(undoneMicros)}`
  return `${name.padEnd(30)}${acted.hosts} ${when}; ${struck}`
}

function seconds(micros: number): string {
  return `${(micros / 1_000_000).toFixed(3)} s`
}
