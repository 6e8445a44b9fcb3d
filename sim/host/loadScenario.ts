/**
 * A scenario by its name in the catalogue, or by the path of a file of the user's that exports one.
 */
import { existsSync } from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"
import type { Scenario } from "../run/Scenario.ts"

export interface Entry {
  readonly name: string
  readonly load: () => Promise<Scenario>
}

/** What is wrong with the name or the file, in one line. */
export class NoScenario extends Error {
  override readonly name = "NoScenario"
}

/** "./my/scenario.ts", and not "lease/leader-killed". */
export const isPath = (name: string): boolean => /\.(ts|mts|js|mjs)$/.test(name)

/** "./my/scenarios.ts#payments" is the export `payments` of the file. */
export const fileAndExport = (name: string): readonly [file: string, exported: string | undefined] => {
  const [, file, exported] = /^(.*\.(?:ts|mts|js|mjs))#([^#/]*)$/.exec(name) ?? []
  return file === undefined ? [name, undefined] : [file, exported]
}

/** Rejects with `NoScenario`, also when the file does not load. */
export const loadScenario = async (name: string, catalogue: ReadonlyArray<Entry>): Promise<Scenario> => {
  const known = catalogue.find((entry) => entry.name === name)
  if (known !== undefined) return known.load()
  const [given, wanted] = fileAndExport(name)
  if (!isPath(given)) throw new NoScenario(`there is no scenario "${name}"`)
  const file = path.resolve(given)
  if (!existsSync(file)) throw new NoScenario(`there is no file ${given}`)
  const exported = Object.entries(await importOf(given, file))
  const scenarios = exported.filter(([, value]) => isScenario(value)) as ReadonlyArray<readonly [string, Scenario]>
  const [first, another] = scenarios
  if (first === undefined) {
    throw new NoScenario(`${given} exports no scenario: export what Scenario.make returns`)
  }
  const named = scenarios.find(([key]) => key === (wanted ?? "default"))
  if (named !== undefined) return named[1]
  if (wanted === undefined && another === undefined) return first[1]
  const names = scenarios.map(([key]) => key).join(", ")
  throw new NoScenario(
    wanted === undefined
      ? `${given} exports several scenarios (${names}): name one, as in ${given}#${first[0]}, or export one as default`
      : `${given} exports no scenario ${wanted}: it has ${names}`
  )
}

async function importOf(name: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    const place = error instanceof Error ? placeOf(error.stack ?? "") : undefined
    const message = error instanceof Error ? error.message : `it threw ${JSON.stringify(error)}`
    const text = relative(message).split("\n").join(" ")
    throw new NoScenario(`${name} does not load: ${place === undefined ? "" : `${place}: `}${text}`, { cause: error })
  }
}

/** "my/scenario.ts:3": what Node writes above an error of syntax, or else the innermost frame that is not Node's. */
function placeOf(stack: string): string | undefined {
  const [, above] = /^((?:file:\/\/)?\/.*:\d+)\n/.exec(stack) ?? []
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line) && !line.includes("node:"))
  const [, inside] = /((?:file:\/\/)?\/.*:\d+):\d+\)?$/.exec(frames[0] ?? "") ?? []
  const place = above ?? inside
  return place === undefined ? undefined : relative(place)
}

function relative(text: string): string {
  return text.replaceAll("file://", "").replaceAll(`${process.cwd()}/`, "")
}

export function isScenario(value: unknown): value is Scenario {
  const candidate = value as Partial<Scenario> | null
  return (
    typeof candidate === "object" &&
    candidate !== null &&
    typeof candidate.name === "string" &&
    typeof candidate.build === "function" &&
    typeof candidate.safetyMillis === "number"
  )
}
