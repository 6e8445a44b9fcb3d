/**
 * The import table: which folder may know which, and which packages. Type imports count, and so do re-exports, `import()` and
 * `new URL("…", import.meta.url)`, which is how workers are named.
 *
 * The import is resolved against its file, so a folder inside `core` may have any name.
 */
import path from "node:path"
import type { Context, Part, Rule } from "./Rule.ts"

/** What each folder may import besides itself. The most specific row holds. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: [],
  sim: ["core"],
  reports: ["core", "sim"],
  scenarios: ["core", "sim"],
  adapters: ["core"],
  // The composition root.
  "adapters/cli": ["core", "sim", "reports", "scenarios", "adapters"],
  // What a user's tests are composed of.
  "adapters/vitest": ["core", "sim", "reports", "scenarios", "adapters/cli"],
  // Production SQL under virtual time.
  "sim/pglite": ["core", "sim", "adapters/postgres", "adapters/pglite"]
}

/** The packages of what runs inside a simulation; a folder without a row may use any. */
const mayUse: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: ["effect", "@noble/hashes", "node:assert"],
  sim: ["effect", "@noble/hashes", "node:assert", "seedrandom"],
  // The host's side of a run: traps and workers.
  "sim/host": ["*"],
  "sim/pglite": ["*"]
}

const root = path.dirname(import.meta.dirname)

export const rule: Rule = {
  meta: { type: "problem", docs: { description: "keeps the direction of imports between the folders" } },
  create: (context) => ({
    ImportDeclaration: (node) => check(context, node.source),
    ExportAllDeclaration: (node) => check(context, node.source),
    ExportNamedDeclaration: (node) => check(context, node.source),
    ImportExpression: (node) => check(context, node.source),
    TSImportType: (node) => check(context, node.source),
    NewExpression: (node) => {
      const isUrl = node.callee.type === "Identifier" && node.callee.name === "URL" && node.arguments.length === 2
      const [target] = node.arguments
      if (isUrl && target?.type === "Literal" && String(target.value).startsWith(".")) check(context, target)
    }
  })
}

function check(context: Context, source: (Part & { readonly value?: unknown }) | null): void {
  if (source === null || typeof source.value !== "string") return
  const file = path.relative(root, context.filename)
  const target = resolve(file, source.value)
  const why = target === undefined ? checkPackage(file, source.value) : checkFolder(file, target)
  if (why !== undefined) context.report({ node: source, message: why })
}

function checkFolder(file: string, target: string): string | undefined {
  const [importer, imported] = [rowOf(mayImport, file), rowOf(mayImport, target)]
  if (importer === undefined || imported === undefined || importer === imported) return undefined
  const allowed = mayImport[importer]!
  if (allowed.some((folder) => within(target, folder))) return undefined
  return `${importer} may import ${allowed.length === 0 ? "nothing of ours" : `only ${allowed.join(", ")}`}, not ${target}`
}

function checkPackage(file: string, specifier: string): string | undefined {
  const importer = rowOf(mayUse, file)
  if (importer === undefined) return undefined
  const allowed = mayUse[importer]!
  if (allowed.some((name) => name === "*" || specifier === name || within(specifier, name))) return undefined
  return `${importer} may use only ${allowed.join(", ")}, not ${specifier}: the outside is reached through ports`
}

/** The path from the repository's root of an import of ours; undefined for a package. */
function resolve(file: string, specifier: string): string | undefined {
  if (specifier.startsWith("stormglass/")) return specifier.slice("stormglass/".length)
  return specifier.startsWith(".") ? path.join(path.dirname(file), specifier) : undefined
}

/** The most specific row of a table that holds for a file. */
function rowOf(table: Readonly<Record<string, unknown>>, file: string): string | undefined {
  const rows = Object.keys(table).filter((folder) => within(file, folder))
  return rows.toSorted((a, b) => b.length - a.length)[0]
}

function within(file: string, folder: string): boolean {
  return file.startsWith(`${folder}/`)
}
