/**
 * The lines of a store, read: its campaign, its runs, and what is lost of it.
 *
 * - L1 A line that is cut or garbled costs what stood in it, and nothing else; its number and what is wrong with it are told.
 */
import * as Schema from "effect/Schema"
import { problemsText } from "../../../core/json/fieldProblems.ts"
import { FaultPlan } from "../../../sim/nemesis/FaultPlan.ts"
import { Campaign } from "./Campaign.ts"
import { type CampaignRun, fromLine, RunLine, toLine } from "./CampaignRun.ts"
import type { SmallCase } from "./groupFailures.ts"

export interface Line {
  /** Undefined when its bytes are no UTF-8. */
  readonly text: string | undefined
  /** False for the last one of a file that does not end with the end of a line. */
  readonly isEnded: boolean
}

export interface Loss {
  /** From 1. */
  readonly line: number
  readonly why: string
}

export interface Store {
  readonly campaign: Campaign
  readonly runs: ReadonlyArray<CampaignRun>
  readonly smalls: ReadonlyArray<SmallCase>
  readonly lost: ReadonlyArray<Loss>
  /** False when the next line would be glued to the last one. */
  readonly isEnded: boolean
}

/** A failure that was made small, as a line. */
const SmallLine = Schema.TaggedStruct("Small", {
  scenario: Schema.String,
  seed: Schema.String,
  violation: Schema.String,
  plan: FaultPlan,
  operations: Schema.Number,
  file: Schema.optionalKey(Schema.String)
})

const decodeCampaign = Schema.decodeUnknownSync(Campaign)
const decodeRun = Schema.decodeUnknownSync(RunLine)
const decodeSmall = Schema.decodeUnknownSync(SmallLine)

export const campaignLine = (campaign: Campaign): string => JSON.stringify(campaign)
export const runLine = (run: CampaignRun): string => JSON.stringify(toLine(run))
export const smallLine = (small: SmallCase): string => JSON.stringify({ _tag: "Small", ...small })

/** Undefined when there are no lines. Throws an error of one line when the first one tells no campaign. */
export const readStore = (lines: Iterable<Line>): Store | undefined => {
  let campaign: Campaign | undefined
  let isEnded = true
  let number = 0
  const runs: Array<CampaignRun> = []
  const smalls: Array<SmallCase> = []
  const lost: Array<Loss> = []
  for (const line of lines) {
    number++
    isEnded = line.isEnded
    if (campaign === undefined) {
      campaign = campaignOf(line)
      continue
    }
    if (line.text === "") continue
    try {
      const document = documentOf(line)
      const tag = (document as { readonly _tag?: unknown } | null)?._tag
      if (tag === "Run") runs.push(fromLine(decodeRun(document)))
      else if (tag === "Small") smalls.push(smallOf(decodeSmall(document)))
      else throw new Error("it is neither a run nor a small failure")
    } catch (error) {
      lost.push({ line: number, why: problemsText(error) })
    }
  }
  return campaign === undefined ? undefined : { campaign, runs, smalls, lost, isEnded }
}

function campaignOf(line: Line): Campaign {
  let document: unknown
  try {
    document = documentOf(line)
  } catch {
    document = undefined
  }
  const { _tag, version } = (document ?? {}) as { readonly _tag?: unknown; readonly version?: unknown }
  if (_tag !== "Campaign") throw new Error("its first line tells no campaign")
  if (version !== 1) throw new Error(`it is of version ${JSON.stringify(version)}, and this is version 1`)
  try {
    return decodeCampaign(document)
  } catch (error) {
    throw new Error(`its first line tells no campaign: ${problemsText(error)}`, { cause: error })
  }
}

function smallOf({ _tag, ...small }: typeof SmallLine.Type): SmallCase {
  return small
}

function documentOf({ isEnded, text }: Line): unknown {
  try {
    if (text !== undefined) return JSON.parse(text)
  } catch (cause) {
    throw new Error(isEnded ? "cut or garbled" : "cut off", { cause })
  }
  throw new Error("garbled")
}
