/** Mistakes that no test finds, and why none needs to: one that changes nothing is no mistake. Checked against each run. */
export interface Explanation {
  readonly file: string
  /** The line, without its indentation. */
  readonly text: string
  /** What of it was replaced, and what stood there instead. */
  readonly from: string
  readonly to: string
  readonly why: string
}

export const explanations: ReadonlyArray<Explanation> = []
