/**
 * `--with effect=effect-beta`: other versions of packages, as npm installs them under an alias.
 */
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import path from "node:path"
import { pathToFileURL } from "node:url"
import type { OtherVersion } from "../../sim/host/installVersions.ts"
import { UsageError } from "./Usage.ts"

const packageName = /^(@[\w.-]+\/)?[\w.-]+$/

/** What is installed where the command runs. */
const here = (): string => pathToFileURL(path.resolve("package.json")).href

/** As typed, each NAME=ALIAS. Refused where an alias is not installed, or is no version of the package. */
export const parseVersions = (texts: ReadonlyArray<string>): ReadonlyArray<OtherVersion> => {
  const all = texts.map(parseVersion)
  const twice = all.find(({ name }, nth) => all.findIndex((other) => other.name === name) < nth)
  if (twice !== undefined) throw new UsageError(`--with: ${twice.name} is given twice`)
  return all
}

const parseVersion = (text: string): OtherVersion => {
  const [name = "", alias = "", ...rest] = text.split("=")
  if (!packageName.test(name) || !packageName.test(alias) || rest.length > 0) {
    throw new UsageError(`--with "${text}": write NAME=ALIAS, as effect=effect-beta`)
  }
  if (name === alias) throw new UsageError(`--with ${text}: the alias is another name than the package's own`)
  return versionOf(name, alias, `--with ${text}`)
}

/** The alias as it is installed now. `asked` says who asks for it. */
export const versionOf = (name: string, alias: string, asked: string): OtherVersion => {
  const found = manifestOf(alias)
  if (found === undefined) {
    const command = `npm install --save-dev ${alias}@npm:${name}@VERSION`
    throw new UsageError(
      `${asked}: ${alias} is not installed here; ${command} installs a version of ${name} as ${alias}`
    )
  }
  if (found.name !== name) {
    throw new UsageError(
      `${asked}: what is installed as ${alias} is ${found.name} ${found.version}, and no version of ${name}`
    )
  }
  return { name, alias, version: found.version, from: here() }
}

/** "effect 4.1.0": what is installed under the name itself. */
export const installedOf = (name: string, asked: string): string => {
  const found = manifestOf(name)
  if (found === undefined)
    throw new UsageError(`${asked}: ${name} is not installed here, so there is nothing to compare with`)
  return found.version
}

interface Manifest {
  readonly name: string
  readonly version: string
}

function manifestOf(folder: string): Manifest | undefined {
  const file = foundManifest(folder)
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, "utf8")) as Manifest)
}

/** Undefined where there is none: Node.js throws for some of what it does not find. */
function foundManifest(folder: string): string | undefined {
  try {
    return findPackageJSON(folder, here())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error
    return undefined
  }
}
