/**
 * What a campaign is of: everything that decides its runs but their seeds, which are its own to add to. Two stores whose campaigns
 * are the same may be merged, and a store is only ever continued by the same.
 */
import * as Schema from "effect/Schema"
import { strategyNames } from "../../../sim/kernel/Schedule.ts"
import { databaseNames } from "../../../sim/storage/Databases.ts"

/** The first line of a store. */
export const Campaign = Schema.TaggedStruct("Campaign", {
  version: Schema.Literal(1),
  versions: Schema.Struct({ stormglass: Schema.String, effect: Schema.String, node: Schema.String, v8: Schema.String }),
  /** Hash of the sources that runs are made of, the files of the user's scenarios included (what these import is not). */
  program: Schema.String,
  scenarios: Schema.Array(Schema.String),
  strategy: Schema.Literals(strategyNames),
  storage: Schema.Literals(databaseNames),
  /** A plan for every run: the file that was named, which lines that replay name too, and the hash of what it held. */
  plan: Schema.NullOr(Schema.Struct({ file: Schema.String, hash: Schema.String })),
  /** A planted bug: what it was called on the command line, and the hash of its edits. */
  mutant: Schema.NullOr(Schema.Struct({ name: Schema.String, hash: Schema.String }))
})
export type Campaign = typeof Campaign.Type

/** The first part in which another campaign differs, in words; undefined when it is the same. */
export const differenceOf = (stored: Campaign, other: Campaign): string | undefined => {
  for (const part of ["stormglass", "effect", "node", "v8"] as const) {
    const [here, there] = [stored.versions[part], other.versions[part]]
    if (here !== there) return `it is of ${part} ${here}, and this is ${there}`
  }
  const [without, more] = [missing(stored.scenarios, other.scenarios), missing(other.scenarios, stored.scenarios)]
  if (without.length > 0) return `its scenarios have also ${listed(without)}`
  if (more.length > 0) return `its scenarios are without ${listed(more)}`
  if (stored.strategy !== other.strategy) return `its strategy is ${stored.strategy}, and not ${other.strategy}`
  if (stored.storage !== other.storage) return `its storage is ${stored.storage}, and not ${other.storage}`
  if (stored.plan?.hash !== other.plan?.hash) return contrast("plan", stored.plan?.file, other.plan?.file)
  if (stored.mutant?.hash !== other.mutant?.hash) return contrast("mutant", stored.mutant?.name, other.mutant?.name)
  if (stored.program !== other.program) return "the sources of the program have changed since it was begun"
  return undefined
}

function contrast(what: string, here: string | undefined, there: string | undefined): string {
  if (here !== undefined && here === there) return `its ${what} ${here} was another one than it is now`
  return `its ${what} is ${here ?? "none"}, and not ${there ?? "none"}`
}

function missing(all: ReadonlyArray<string>, from: ReadonlyArray<string>): ReadonlyArray<string> {
  return all.filter((name) => !from.includes(name))
}

function listed(names: ReadonlyArray<string>): string {
  const shown = names.slice(0, 3).join(", ")
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}
