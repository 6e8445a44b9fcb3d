/**
 * Other versions of packages, installed beside the usual ones under aliases of npm, in their place: for the program, for its other
 * packages, and for the simulator, which must share `effect` with the program to give it its clock and its chance.
 *
 * - O1 Hooks belong to a thread: every worker installs its own, before anything of ours is imported.
 * - O2 What was renamed or moved since is found under its former name, for everybody.
 * - O3 A module that the other version lacks altogether does not load where a program imports it. Where the simulator does, it is refused
 *   when it is used: a run that used it tells nothing, whatever came of it.
 */
import { createRequire, registerHooks } from "node:module"
import { fileURLToPath } from "node:url"
import * as Trap from "./Trap.ts"

export interface OtherVersion {
  /** As it is imported: "effect". */
  readonly name: string
  /** As it is installed: "effect-beta". */
  readonly alias: string
  readonly version: string
  /** URL of a file that the alias resolves from. */
  readonly from: string
}

/** Of the packages whose former names the simulator knows. */
interface Former {
  /** Where a module was, by where it is now: "/cluster/Entity". */
  readonly modules: (subpath: string) => string
  /** What an export was called, by what it is called now. */
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Modules with what nodes are given in case that their programs ask for it: those of versions without it never do. */
  readonly unasked: ReadonlyArray<string>
}

const former: Readonly<Record<string, Former>> = {
  // Before 4.0.0.
  effect: {
    modules: (subpath) => `/unstable${subpath.replace(/^\/http-api\b/, "/httpapi")}`,
    exports: { "/Schema": { Error: "ErrorClass", TaggedError: "TaggedErrorClass" } },
    unasked: ["/crypto/Digest", "/crypto/WebCrypto"]
  }
}

const root = new URL("../../", import.meta.url)
const simulator = ["core/", "sim/"].map((folder) => new URL(folder, root).href)

/** What was used though the version lacks it, since it was last asked. */
let lacked: string | undefined

/** What the run that is over has used though it is not there, in one line. */
export const lackedSince = (): string | undefined => {
  const line = lacked
  lacked = undefined
  return line
}

/** @public Stands in for an export of a module that is lacking: what stands in for the module imports it. */
export const refusing = (line: string): unknown => {
  const refuse = (): never => {
    lacked ??= line
    throw new Error(line)
  }
  return new Proxy(() => undefined, { apply: refuse, construct: refuse, get: refuse })
}

/** In place of what is installed for every module of this thread that is loaded from now on. */
export const installVersions = (versions: ReadonlyArray<OtherVersion>): void => {
  for (const other of versions) install(other)
}

function install({ alias, from, name, version }: OtherVersion): void {
  const { exports = {}, modules, unasked = [] } = former[name] ?? {}
  Trap.treatAlike(alias, name)
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      if (specifier !== name && !specifier.startsWith(`${name}/`)) return nextResolve(specifier, context)
      const subpath = specifier.slice(name.length)
      // Node.js writes what a step is given into the context itself.
      const importer = context.parentURL
      const paths = [subpath, ...(modules === undefined ? [] : [modules(subpath)])]
      const found = paths.map((path) =>
        orMissing(() => nextResolve(`${alias}${path}`, { ...context, parentURL: from }))
      )
      const there = found.find((one) => one !== undefined)
      if (there !== undefined) return withFormerNames(there, exports[subpath])
      const isOfSimulator = simulator.some((folder) => importer?.startsWith(folder))
      const line = `${name} ${version} (${alias}) has no ${specifier}, which ${importer?.replace(root.href, "")} needs`
      if (!isOfSimulator) throw new Error(line)
      const installed = nextResolve(specifier, { ...context, parentURL: importer })
      return unasked.includes(subpath) ? installed : standIn(installed, line)
    }
  })
}

/** Undefined where there is no such module. */
function orMissing<A>(resolve: () => A): A | undefined {
  try {
    return resolve()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "ERR_MODULE_NOT_FOUND" || code === "ERR_PACKAGE_PATH_NOT_EXPORTED") return undefined
    throw error
  }
}

/** The module itself, or where names are missing one that has them too. */
function withFormerNames<Resolved extends { readonly url: string }>(
  resolved: Resolved,
  names: Readonly<Record<string, string>> = {}
): Resolved {
  if (Object.keys(names).length === 0) return resolved
  const url = JSON.stringify(resolved.url)
  // What a module exports itself comes before what it passes on.
  const added = Object.entries(names).map(([now, then]) => `export const ${now} = all.${now} ?? all.${then}`)
  return made(resolved, [`export * from ${url}`, `import * as all from ${url}`, ...added])
}

/** Has the names of the module, and nothing that could be used. */
function standIn<Resolved extends { readonly url: string }>(resolved: Resolved, line: string): Resolved {
  const names = Object.keys(createRequire(resolved.url)(fileURLToPath(resolved.url)) as object)
  return made(resolved, [
    `import { refusing } from ${JSON.stringify(import.meta.url)}`,
    `const refused = refusing(${JSON.stringify(line)})`,
    ...names.map((name) => `export { refused as ${name} }`)
  ])
}

function made<Resolved extends { readonly url: string }>(resolved: Resolved, lines: ReadonlyArray<string>): Resolved {
  return { ...resolved, url: `data:text/javascript,${encodeURIComponent(lines.join("\n"))}`, shortCircuit: true }
}
