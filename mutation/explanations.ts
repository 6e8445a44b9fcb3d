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

export const explanations: ReadonlyArray<Explanation> = [
  {
    file: "core/bucket/Assignment.ts",
    text: ".toSorted((a, b) => b.score - a.score || a.group - b.group || (a.id < b.id ? -1 : 1))",
    from: "a.id < b.id",
    to: "a.id <= b.id",
    why: "No id is in the list twice, so that none is compared with itself."
  },
  {
    file: "core/bucket/Assignment.ts",
    text: ".toSorted((a, b) => b.score - a.score || a.group - b.group || (a.id < b.id ? -1 : 1))",
    from: "1",
    to: "2",
    why: "Of a comparison only the sign counts."
  },
  {
    file: "core/fleet/Fleet.ts",
    text: '{ onConflict: { target: ["id"], action: "nothing" } }',
    from: '["id"]',
    to: "[]",
    why: "Without a target any conflict is met; one with the project and the name is one with the id, which is made of them."
  },
  {
    file: "core/fleet/FleetPlan.ts",
    text: 'return member.state === "PENDING" || member.state === "CREATING" ? 1 : 2',
    from: "2",
    to: "3",
    why: "Ranks are only compared: 3 is after 1 as 2 is."
  },
  {
    file: "core/fleet/FleetStatus.ts",
    text: "return next <= 0 ? sorted : [...sorted.slice(next), ...sorted.slice(0, next)]",
    from: "next <= 0",
    to: "next < 0",
    why: "At 0 nothing is taken from the front and put to the end."
  },
  {
    file: "core/idempotency/KeyRetention.ts",
    text: "millis * (1 - clockDriftRatioMax) > 10 * idempotencyClaimMillis",
    from: "millis * (1 - clockDriftRatioMax) > 10 * idempotencyClaimMillis",
    to: "millis * (1 - clockDriftRatioMax) >= 10 * idempotencyClaimMillis",
    why: "No whole number of milliseconds, 5 % shorter, is just ten claims."
  },
  {
    file: "core/storage/checkStatement.ts",
    text: 'const kind = checkExpression(expression, expression._tag === "Value" ? kindAmong(values) : undefined, scope)',
    from: 'expression._tag === "Value"',
    to: "true",
    why: "A column is of its own kind, and a sum asks for integers, whatever they are beside."
  },
  {
    file: "core/storage/checkStatement.ts",
    text: 'checkWhere(condition, { table, columns: "row", parameters: 0 })',
    from: "0",
    to: "1",
    why: "What is counted here is not answered."
  }
]
