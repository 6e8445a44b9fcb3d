/** A model by its name, or by the path of a file of the user's that exports what `toCheckable` returns. */
import { existsSync } from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"
import { type Checkable, checkables } from "../../core/history/checkables.ts"
import { orNearest } from "../../sim/nemesis/nearest.ts"
import { isPath } from "../../sim/host/loadScenario.ts"
import { isolationModel } from "./judgeIsolation.ts"
import { UsageError } from "./Usage.ts"

/** `undefined` stands for list-append, which is no model of an object. Rejects with `UsageError`. */
export const loadModel = async (name: string): Promise<Checkable | undefined> => {
  if (name === isolationModel.name) return undefined
  const known = checkables.find((checkable) => checkable.name === name)
  if (known !== undefined) return known
  if (!isPath(name)) {
    const names = [...checkables, isolationModel].map((one) => one.name)
    throw new UsageError(`--model: there is no model "${name}"${orNearest(name, names)}; there are ${names.join(", ")}`)
  }
  const file = path.resolve(name)
  if (!existsSync(file)) throw new UsageError(`--model: there is no file ${name}`)
  const exported = Object.entries(await importOf(name, file))
  const models = exported.filter(([, value]) => isCheckable(value)) as ReadonlyArray<readonly [string, Checkable]>
  const chosen = models.find(([key]) => key === "default") ?? (models.length === 1 ? models[0] : undefined)
  if (chosen !== undefined) return chosen[1]
  throw new UsageError(
    models.length === 0
      ? `--model: ${name} exports no model: export what toCheckable of stormglass/core/history/checkables returns`
      : `--model: ${name} exports several models (${models.map(([key]) => key).join(", ")}): export one of them as default`
  )
}

async function importOf(name: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split("\n").join(" ")
    throw new UsageError(`--model: ${name} does not load: ${reason}`)
  }
}

function isCheckable(value: unknown): value is Checkable {
  const candidate = value as Partial<Checkable> | null
  return (
    typeof candidate === "object" &&
    candidate !== null &&
    typeof candidate.begin === "function" &&
    typeof candidate.name === "string"
  )
}
