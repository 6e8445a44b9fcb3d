/**
 * `stormglass merge STORE…`: several stores as one, and the report of a campaign without running anything.
 */
import { basename } from "node:path"
import { faultKinds } from "../../../sim/nemesis/faultKinds.ts"
import { coldMarks } from "../declaredMarks.ts"
import { effectTable, paint, verdictTable } from "../Output.ts"
import * as Session from "../Session.ts"
import { UsageError } from "../Usage.ts"
import { type Campaign, differenceOf } from "./Campaign.ts"
import type { CampaignRun } from "./CampaignRun.ts"
import { groupFailures } from "./groupFailures.ts"
import { groupDocument, groupTable } from "./groupTable.ts"
import { mergeRuns } from "./mergeRuns.ts"
import { campaignLine, runLine, smallLine, type Store } from "./readStore.ts"
import { readStoreFile, writeStoreFile } from "./StoreFile.ts"
import { conflictLines, lossLine } from "./storeReport.ts"
import { summarize, virtualSecondsOf } from "./Summary.ts"
import { exitCodeOf } from "../exitCodes.ts"

export interface MergeCommandOptions {
  readonly stores: ReadonlyArray<string>
  readonly out: string | undefined
  /** Kinds of fault, or how the names of several begin ("process/"): runs in which one took effect are left out. */
  readonly without: ReadonlyArray<string>
  readonly isJson: boolean
  readonly print: (text: string) => void
}

/** The exit code: 0 all passed; 1 a failure, or marks that a whole campaign did not meet; 3 nondeterminism. */
export const mergeCommand = ({ isJson, out, print, stores: paths, without }: MergeCommandOptions): number => {
  if (out !== undefined && without.length > 0) {
    throw new UsageError("--without leaves runs out of a report, and not out of a store: say it without --out")
  }
  const stores = paths.map((path) => ({ path, store: requireStore(path) }))
  const campaign = requireOne(stores)
  const { conflicts, runs: all } = mergeRuns(stores.flatMap(({ store }) => store.runs))
  const runs = all.filter(metNoneOf(requireKinds(without, all)))
  const smalls = stores.flatMap(({ store }) => store.smalls)
  const summary = summarize(runs, campaign.scenarios)
  const groups = groupFailures(runs, smalls)
  const isWhole = without.length === 0 && isOfEverything(campaign)
  const cold = campaign.mutant === null && runs.length > 0 ? coldMarks(summary, isWhole) : []
  const lacking = isWhole ? cold.length : 0
  const isNondeterministic = conflicts.length > 0 || runs.some(({ verdict }) => verdict._tag === "escaped")
  const isFound = runs.length === 0 || summary.failed + lacking > 0
  const exitCode = exitCodeOf(isNondeterministic ? "nondeterministic" : isFound ? "found" : "done")
  const losses = stores.flatMap(({ path, store }) => lossLine(path, store.lost) ?? [])
  const asides = [...losses, ...conflictLines(conflicts)]
  const replayLine = (run: CampaignRun) => replayLineOf(campaign, run)
  if (out !== undefined) {
    // Of runs that contradict each other every one, so that the contradiction is not lost.
    const each = [...runs, ...conflicts.flat().filter((run) => !runs.includes(run))]
    const unlike = [...new Map(smalls.map((small) => [smallLine(small), small])).keys()]
    writeStoreFile(out, [campaignLine(campaign), ...each.map(runLine), ...unlike])
  }
  const virtualSeconds = virtualSecondsOf(runs)
  const hostSeconds = runs.reduce((sum, { hostMillis }) => sum + hostMillis, 0) / 1_000
  if (isJson) {
    const document = {
      campaign,
      ...summary,
      failed: summary.failed + lacking,
      virtualSeconds,
      hostSeconds,
      cold,
      groups: groups.map((group) => groupDocument(group, replayLine)),
      conflicts: conflicts.map((pair) =>
        pair.map(({ digest, scenario, seed, verdict }) => ({ scenario, seed, digest, verdict }))
      ),
      stores: stores.map(({ path, store }) => ({ file: path, runs: store.runs.length, lost: store.lost }))
    }
    print(JSON.stringify(document, null, 2))
    for (const line of asides) process.stderr.write(`${line}\n`)
    return exitCode
  }
  if (groups.length > 0) print(`${groupTable(groups, replayLine).join("\n")}\n`)
  if (runs.length > 0) print(verdictTable(summary))
  const effects = effectTable(summary.effects, () => isWhole)
  if (effects !== "") print(`\n${paint("bold", "Faults that took effect")}\n${effects}`)
  if (cold.length > 0) print(`\n${paint(isWhole ? "red" : "bold", "Marks that no run met")}\n  ${cold.join("\n  ")}`)
  if (asides.length > 0) print(`\n${asides.map((line) => paint("red", line)).join("\n")}`)
  print(
    `\n${summary.passed} passed, ${summary.failed} failed: ${Math.round(virtualSeconds)} virtual seconds in ${hostSeconds.toFixed(1)} s of workers`
  )
  if (runs.length === 0) print(paint("red", "failed: nothing ran"))
  if (lacking > 0) print(`failed: no run met ${lacking} ${lacking === 1 ? "mark" : "marks"}`)
  return exitCode
}

const isOf = (kind: string, asked: string): boolean => kind === asked || (asked.endsWith("/") && kind.startsWith(asked))

const metNoneOf =
  (without: ReadonlyArray<string>) =>
  ({ effects }: CampaignRun): boolean =>
    !Object.keys(effects).some((kind) => without.some((asked) => isOf(kind, asked)))

/** Dies where one is no kind that we have or that the runs met. */
function requireKinds(without: ReadonlyArray<string>, runs: ReadonlyArray<CampaignRun>): ReadonlyArray<string> {
  const known = [...faultKinds.map(({ name }) => name), ...runs.flatMap(({ effects }) => Object.keys(effects))]
  const unknown = without.find((asked) => !known.some((kind) => isOf(kind, asked)))
  if (unknown !== undefined) {
    throw new UsageError(`--without ${unknown}: no kind of fault is called so; \`stormglass list faults\` has them all`)
  }
  return without
}

function requireStore(path: string): Store {
  const store = readStoreFile(path)
  if (store === undefined) throw new UsageError(`${path} is no store of a campaign: it is empty`)
  return store
}

function requireOne(stores: ReadonlyArray<{ readonly path: string; readonly store: Store }>): Campaign {
  const [first, ...others] = stores as [(typeof stores)[0], ...typeof stores]
  for (const { path, store } of others) {
    const difference = differenceOf(store.campaign, first.store.campaign)
    if (difference !== undefined) {
      throw new UsageError(`${path} is of another campaign than ${basename(first.path)}: ${difference}`)
    }
  }
  return first.store.campaign
}

/** Whether every mark should be met by it, once it is over. */
function isOfEverything({ mutant, plan, scenarios, storage }: Campaign): boolean {
  return (
    mutant === null &&
    plan === null &&
    storage === "model" &&
    Session.scenarioNames.every((name) => scenarios.includes(name))
  )
}

function replayLineOf({ mutant, plan, storage, strategy }: Campaign, { scenario, seed }: CampaignRun): string {
  const request = { scenario, seed, strategy, ...Session.storageOf(storage) }
  return Session.replayLine(request, { mutant: mutant?.name, plan: plan?.file })
}
