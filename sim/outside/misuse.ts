/**
 * What the kits refuse of what they are given, in one line: what, where, what to do. It is told by the run, so that a command ends with
 * that line, and a test fails with it.
 */
import { RequestProblem } from "../run/Simulation.ts"
import * as Scenario from "../run/Scenario.ts"

export interface Given {
  /** "ClusterScenario.make" */
  readonly maker: string
  /** The option that says how many nodes. */
  readonly sizedBy: string
  /** Options that must be there. */
  readonly required: ReadonlyArray<string>
  /** As whoever wrote them in JavaScript may have. */
  readonly options: object
}

/** The first that is wrong. */
export const misuseOf = ({ maker, options: given, required, sizedBy }: Given): string | undefined => {
  const options = given as Readonly<Record<string, unknown>>
  for (const [option, told] of Object.entries({ ...rules, [sizedBy]: sized })) {
    const value = options[option]
    const isMissing = value === undefined
    if (isMissing ? !required.includes(option) : told.takes(value)) continue
    return `${maker} of ${shown(options["name"])}: ${option} is ${isMissing ? "missing" : shown(value)}: ${told.give}`
  }
  return undefined
}

/** In place of one that cannot be: each of its runs is refused. */
export const refusing = ({ name, story }: Pick<Scenario.Scenario, "name" | "story">, problem: string) =>
  Scenario.make({
    name,
    story,
    safetyMillis: 1,
    build: () => {
      throw new RequestProblem(problem)
    }
  })

export const kindsRule: Rule = {
  takes: (value) => Array.isArray(value) && value.every((kind) => isFunction((kind as Draws | null)?.draw)),
  give: 'give kinds of fault and not their names, as kindsOf("network/reset") of sim/nemesis/faultKinds'
}

interface Rule {
  readonly takes: (value: unknown) => boolean
  readonly give: string
}

type Draws = { readonly draw?: unknown }
type Holds = { readonly start?: unknown; readonly step?: unknown }

const isFunction = (value: unknown): boolean => typeof value === "function"
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1
const holds = (value: unknown): boolean => isFunction((value as Holds | null)?.start ?? (value as Holds | null)?.step)

const millis: Rule = {
  takes: (value) => Number.isFinite(value) && (value as number) > 0,
  give: "give milliseconds, more than 0"
}

const sized: Rule = {
  takes: (value) => Array.isArray(value) && value.length === 2 && value.every(isCount),
  give: "give the least, 1 or more, and the most, as [2, 3]"
}

const rules: Readonly<Record<string, Rule>> = {
  program: { takes: isFunction, give: "give a function that returns the layer, as (outside) => layer" },
  ask: { takes: isFunction, give: "give a function of the key, as (key) => what a client asks for" },
  invariants: {
    takes: (value) => Array.isArray(value) && value.every(holds),
    give: "give an array of what is to hold, [] for nothing"
  },
  kinds: kindsRule,
  safetyMillis: millis,
  answeredWithinMillis: millis,
  patienceMillis: millis,
  keepAliveMillis: millis,
  asks: { takes: isCount, give: "give how often, 1 or more" },
  peers: { takes: (value) => value === "sockets" || value === "store", give: 'give "sockets" or "store"' }
}

/** Short, whatever it is. */
const shown = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`
  if (typeof value === "string") return JSON.stringify(value)
  return typeof value === "object" && value !== null ? "an object" : isFunction(value) ? "a function" : String(value)
}
