import type { Envelope } from "../../core/facts/Envelope.ts"
import type { RunRequest, RunResult, Verdict } from "../run/Verdict.ts"
import type { Told } from "./Search.ts"

/** What is worth saying of a fact. */
export type Line = readonly [
  node: string,
  cause: number,
  fact: Readonly<Record<string, unknown>> & { readonly _tag: string }
]

/** Facts from what is worth saying of each: node, cause and fact; the id is its place, from 1. */
export const factsOf = (...lines: ReadonlyArray<Line>): ReadonlyArray<Envelope> =>
  lines.map(([node, cause, fact], index) => ({
    id: index + 1,
    atMicros: index * 1_000,
    node,
    incarnation: 1,
    cause,
    fact: fact as unknown as Envelope["fact"]
  }))

export const committed = (label: string, ...changes: ReadonlyArray<unknown>) => ({ _tag: "Committed", label, changes })

/** A run that passed, unless it is told how it ended. */
export const told = (
  request: RunRequest,
  {
    features = [],
    verdict = { _tag: "passed" }
  }: { readonly features?: ReadonlyArray<number>; readonly verdict?: Verdict } = {}
): Told => ({
  result: {
    request,
    verdict,
    digest: request.seed,
    parameters: {},
    ranges: {},
    nodes: { n1: ["process"], n2: ["process"], database: ["database"] },
    plan: request.plan ?? {
      version: 1,
      faults: [{ when: { at: `${request.seed}s` }, target: "n1", fault: "process/kill", for: "5s" }]
    },
    pinned: undefined,
    strikes: [],
    operations: [],
    preemptions: [],
    acted: [],
    virtualMicros: 0,
    steps: 0,
    facts: 0,
    effects: {},
    voids: 0,
    marks: {}
  } satisfies RunResult,
  facts: [],
  features
})
