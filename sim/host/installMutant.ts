/**
 * Mutants: named text edits of the sources, applied as the modules are loaded. Production code holds no bug switches.
 *
 * - X1 Each edit's text occurs exactly once in its file, and its replacement has as many lines, so that stacks stay true.
 * - X2 Hooks belong to a thread: every process and every worker installs its own, before anything of ours is imported.
 */
import { registerHooks } from "node:module"
import { fileURLToPath } from "node:url"

export interface Edit {
  /** Relative to the root of the repository: "core/lease/Lease.ts". */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface MutantEdits {
  readonly name: string
  readonly edits: ReadonlyArray<Edit>
}

const root = new URL("../../", import.meta.url)
const applied = new Map<Edit, number>()

/** Edits are of the repository: nothing else is read for one, and nothing else is loaded. */
export const isInside = (file: string): boolean => urlOf(file).startsWith(root.href)

/** What is wrong with an edit of this source; undefined when it fits. */
export const misfit = (source: string, edit: Edit): string | undefined => {
  if (edit.find === edit.replace) return `${edit.file}: the replacement is the text to find`
  const count = source.split(edit.find).length - 1
  if (count !== 1) return `${edit.file}: the text to find occurs ${count} times, it must occur once`
  const lines = (text: string) => text.split("\n").length
  if (lines(edit.find) !== lines(edit.replace)) return `${edit.file}: the replacement has another number of lines`
  return undefined
}

/** The source with the edit made. Throws when it does not fit. */
export const applyEdit = (source: string, edit: Edit): string => {
  const wrong = misfit(source, edit)
  if (wrong !== undefined) throw new Error(wrong)
  const [before, after] = source.split(edit.find)
  return `${before}${edit.replace}${after}`
}

/** Edits every module of this thread that is loaded from now on. Call it before anything of ours is imported. */
export const installMutant = (mutant: MutantEdits): void => {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      const edits = mutant.edits.filter(({ file }) => url === urlOf(file))
      if (edits.length === 0) return loaded
      let source =
        typeof loaded.source === "string" ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString()
      for (const edit of edits) {
        source = applyEdit(source, edit)
        applied.set(edit, (applied.get(edit) ?? 0) + 1)
      }
      return { ...loaded, source }
    }
  })
}

/** Undefined when every edit of the mutant was applied exactly once in this thread; else which was not. */
export const notAppliedOnce = (mutant: MutantEdits): string | undefined => {
  const odd = mutant.edits.find((edit) => applied.get(edit) !== 1)
  return odd === undefined
    ? undefined
    : `mutant ${mutant.name}: its edit of ${odd.file} was applied ${applied.get(odd) ?? 0} times, it must be once`
}

/** Where a module of the repository is loaded from. */
export const urlOf = (file: string): string => new URL(file, root).href

/** Where a file of the repository is. */
export const pathOf = (file: string): string => fileURLToPath(new URL(file, root))
