/** `stormglass check`: a history from elsewhere, judged by a model. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import type { Judgement, Judging } from "../../core/history/checkables.ts"
import { type HistoryRecord, Unreadable } from "../../core/history/HistoryRecord.ts"
import { ModelThrew } from "../../core/history/guardModel.ts"
import { inTurns } from "../../core/history/inTurns.ts"
import { pairRecords } from "../../core/history/pairRecords.ts"
import { formatOf, type HistoryFormat, readHistory } from "../../core/history/readHistory.ts"
import { type About, type CheckEnd, isolationModel, judgeIsolation, type LevelName } from "./judgeIsolation.ts"
import { loadModel } from "./loadModel.ts"
import { paint, Ticker } from "./Output.ts"
import { isPath } from "../../sim/host/loadScenario.ts"
import { reasonOf } from "../../reports/saveFailure.ts"
import { UsageError } from "./Usage.ts"
import { exitCodeOf } from "./exitCodes.ts"

export interface CheckOptions {
  readonly file: string
  readonly model: string
  readonly format: HistoryFormat | undefined
  readonly isWhole: boolean
  /** Of `list-append` only; serializable unless given. */
  readonly level: LevelName | undefined
  readonly timeoutMillis: number | undefined
  /** Of all models but `list-append`; half a gigabyte unless given. */
  readonly memoryMegabytes: number | undefined
  readonly isJson: boolean
  readonly isStopped: () => boolean
}

const memoryMegabytesDefault = 512

/** Rejects with `UsageError`: the line of what cannot be read, or what a model of the user's own throws. */
export const checkCommand = async (options: CheckOptions): Promise<CheckEnd> => {
  const started = performance.now()
  const { file } = options
  const model = await loadModel(options.model)
  const { memoryMegabytes = memoryMegabytesDefault } = options
  if (memoryMegabytes < 1) throw new UsageError(`--memory: ${memoryMegabytes} is less than a megabyte`)
  if (model === undefined && options.isWhole) throw new UsageError("--whole: transactions are always judged as a whole")
  if (model === undefined && options.memoryMegabytes !== undefined)
    throw new UsageError(
      "--memory: not with --model list-append, which remembers no more than the history; give --timeout"
    )
  if (model !== undefined && options.level !== undefined) throw new UsageError("--level: only with --model list-append")
  try {
    const text = textOf(file)
    const format = options.format ?? formatOf(text)
    const records = readHistory(text, format)
    const exchanges = pairRecords(records)
    const about = { file, model: model?.name ?? isolationModel.name, format }
    if (model === undefined) return judgeIsolation(exchanges, about, { ...options, started })
    const memoryBytesMax = memoryMegabytes * 2 ** 20
    const judging = model.begin(exchanges, { memoryBytesMax, isWhole: options.isWhole })
    const judgement = await Effect.runPromise(judge(judging, options, started))
    return options.isJson ? jsonOf(judgement, about, judging) : textOfJudgement(judgement, about, judging, records)
  } catch (error) {
    if (error instanceof Unreadable) throw new UsageError(`check ${file}: ${error.message}`)
    // Of the program's own models it is a fault of the program, and keeps its stack.
    if (error instanceof ModelThrew && isPath(options.model))
      throw new UsageError(`--model: ${options.model}, ${model?.name}: ${error.message}`)
    throw error
  }
}

/** Looks at the clock and at who wants it to stop after each turn. */
const judge = (judging: Judging, options: CheckOptions, started: number): Effect.Effect<Judgement> => {
  const { timeoutMillis = Infinity } = options
  const ticker = new Ticker()
  const betweenTurns = (): Judgement | undefined => {
    if (options.isStopped()) return unknown("it was told to stop")
    if (performance.now() - started > timeoutMillis) return unknown(`undecided after ${timeoutMillis / 1_000} s`)
    const { memoryBytes, parts, partsDone, steps } = judging.progress()
    const megabytes = Math.round(memoryBytes / 2 ** 20)
    ticker.say(() => `${(steps / 1e6).toFixed(1)} million steps, ${partsDone} of ${parts} keys done, ${megabytes} MB`)
    return undefined
  }
  return Effect.ensuring(
    inTurns(judging, { betweenTurns }),
    Effect.sync(() => ticker.end())
  )
}

function unknown(reason: string): Judgement {
  return { _tag: "Unknown", reason }
}

function textOf(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8")
  } catch (error) {
    throw new UsageError(`check ${file}: cannot read it: ${reasonOf(error)}`)
  }
}

function codeOf({ _tag }: Judgement): number {
  return exitCodeOf(_tag === "Linearizable" ? "done" : _tag === "NotLinearizable" ? "found" : "undecided")
}

function jsonOf(judgement: Judgement, about: About, judging: Judging): CheckEnd {
  const { _tag, ...rest } = judgement
  const { parts, partsDone, steps } = judging.progress()
  const verdict = _tag === "Linearizable" ? "linearizable" : _tag === "NotLinearizable" ? "not linearizable" : "unknown"
  const document = { ...about, verdict, operations: judging.operations, steps, parts, partsDone, ...rest }
  return { exitCode: codeOf(judgement), text: JSON.stringify(document, null, 2) }
}

function textOfJudgement(
  judgement: Judgement,
  about: About,
  judging: Judging,
  records: ReadonlyArray<HistoryRecord>
): CheckEnd {
  const text = said(judgement, `${about.file}, as ${about.model}`, judging, records)
  return { exitCode: codeOf(judgement), text }
}

function said(
  judgement: Judgement,
  what: string,
  { operations, progress }: Judging,
  records: ReadonlyArray<HistoryRecord>
): string {
  const { parts, steps } = progress()
  const size = `${operations} operations${parts > 1 ? ` on ${parts} keys` : ""}, ${steps} steps`
  const unanswered = records.filter(({ type }) => type === "invoke").length - records.filter(isDecided).length
  const calls = unanswered === 1 ? "1 call has" : `${unanswered} calls have`
  const open =
    unanswered === 0
      ? ""
      : `\n${calls} no answer, or none that says whether ${unanswered === 1 ? "it" : "they"} happened`
  switch (judgement._tag) {
    case "Linearizable":
      return `${paint("green", "linearizable")}: ${what}: ${size}${open}`
    case "Unknown":
      return `${paint("bold", "unknown")}: ${what}: ${judgement.reason}; ${size}${open}`
    case "NotLinearizable": {
      const key = judgement.key === "" ? "" : `, key ${judgement.key}`
      const counts = `${judgement.explained} of ${judgement.operations} operations are explained`
      return [
        `${paint("red", "not linearizable")}: ${what}${key}: ${counts} up to ${judgement.where}`,
        ...judgement.explanation
      ].join("\n")
    }
  }
}

function isDecided({ type }: HistoryRecord): boolean {
  return type === "ok" || type === "fail"
}
