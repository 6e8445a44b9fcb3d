/** `stormglass check --model list-append`: which isolation level a history keeps. */
import { decodeTransactions, transactionOperations } from "../../core/history/decodeTransactions.ts"
import type { Exchange } from "../../core/history/HistoryRecord.ts"
import * as Isolation from "../../core/history/Isolation.ts"
import type { HistoryFormat } from "../../core/history/readHistory.ts"
import { paint } from "./Output.ts"
import { exitCodeOf } from "./exitCodes.ts"

export const isolationModel = {
  name: "list-append",
  describes: "transactions that read lists and append to them: which isolation level they keep",
  operations: transactionOperations
} as const

/** As they are typed. */
export const levelNames = [
  "read-uncommitted",
  "read-committed",
  "repeatable-read",
  "serializable",
  "strict-serializable"
] as const
export type LevelName = (typeof levelNames)[number]

export interface About {
  readonly file: string
  readonly model: string
  readonly format: HistoryFormat | undefined
}

export interface CheckEnd {
  readonly exitCode: number
  readonly text: string
}

const anomaliesShown = 5
const sentencesShown = 12

/** Throws `Unreadable`. */
export const judgeIsolation = (
  exchanges: ReadonlyArray<Exchange>,
  about: About,
  options: {
    readonly level: LevelName | undefined
    readonly started: number
    readonly timeoutMillis: number | undefined
    readonly isJson: boolean
  }
): CheckEnd => {
  const { isJson, started, timeoutMillis = Infinity } = options
  const isOver = () => performance.now() - started > timeoutMillis
  const level = (options.level ?? "serializable").replace("-", " ") as Isolation.IsolationLevel
  const report = Isolation.check(decodeTransactions(exchanges), { isOver })
  const violations = Isolation.violations(report, level)
  const open = report.undecided.filter((kind) => Isolation.forbids(level, kind))
  const kept = strongestKept(report)
  const verdict = violations.length > 0 ? "broken" : open.length > 0 ? "unknown" : "kept"
  const exitCode = exitCodeOf(verdict === "kept" ? "done" : verdict === "broken" ? "found" : "undecided")
  if (isJson) {
    const { anomalies, dependencies, transactions, undecided } = report
    const document = { ...about, level, verdict, kept: kept ?? null, transactions, dependencies, anomalies, undecided }
    return { exitCode, text: JSON.stringify(document, null, 2) }
  }
  const what = `${about.file}, as ${about.model}: ${report.transactions} transactions, ${report.dependencies} dependencies`
  const otherwise = report.anomalies.length - violations.length
  const head = {
    kept: `${paint("green", `${level} is kept`)}: ${what}`,
    unknown: `${paint("bold", "unknown")}: ${what}; not searched to the end: ${open.join(", ")}`,
    broken: `${paint("red", `${level} is broken`)}: ${what}; ${kept === undefined ? "no level is kept" : `${kept} is kept`}`
  }[verdict]
  const lines = [
    head,
    ...violations.slice(0, anomaliesShown).flatMap(describe),
    ...(violations.length > anomaliesShown ? [`and ${violations.length - anomaliesShown} more (--json has all)`] : []),
    ...(otherwise > 0
      ? [`${otherwise} ${otherwise === 1 ? "anomaly" : "anomalies"} that only stricter levels forbid (--json has all)`]
      : [])
  ]
  return { exitCode, text: lines.join("\n") }
}

/** Surely: nothing that it forbids was found, or not looked for. */
function strongestKept(report: Isolation.IsolationReport): Isolation.IsolationLevel | undefined {
  return Isolation.isolationLevels.findLast(
    (level) =>
      Isolation.violations(report, level).length === 0 &&
      !report.undecided.some((kind) => Isolation.forbids(level, kind))
  )
}

function describe({ explanation, kind, transactions }: Isolation.Anomaly): ReadonlyArray<string> {
  const hidden = explanation.length - sentencesShown
  const sentences =
    hidden <= 0
      ? explanation
      : [...explanation.slice(0, sentencesShown - 1), `… and ${hidden} more like these`, explanation.at(-1)!]
  return [
    `${kind}: ${transactions.slice(0, sentencesShown).join(" ")}`,
    ...sentences.map((sentence) => `  ${sentence}`)
  ]
}
