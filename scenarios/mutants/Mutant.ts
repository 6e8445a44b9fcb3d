/**
 * A mutant: the control plane with one known mistake, taken from an incident, to measure whether the invariants see it.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"

export interface Mutant extends MutantEdits {
  /** What is wrong with it. */
  readonly why: string
  /** Where it has happened. */
  readonly incident: string
  /** How the names of the scenarios begin that run what it edits, where few do: only those are searched. Default: all run it. */
  readonly runsIn?: string
  /** What finds it where no scenario can: tests against real things. By default scenarios find it. */
  readonly suite?: Suite
}

/** Tests that fail on the mutant and on nothing else. */
export interface Suite {
  /** Relative to the root of the repository: "adapters/postgres/PostgresStorage.test.ts". */
  readonly file: string
  /** Part of the name of the tests that are run. */
  readonly test: string
}
