/**
 * A mutant: the control plane with one known mistake, taken from an incident, to measure whether the invariants see it.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"

export interface Mutant extends MutantEdits {
  /** What is wrong with it. */
  readonly why: string
  /** Where it has happened. */
  readonly incident: string
}
