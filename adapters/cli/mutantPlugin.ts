/**
 * The edits of a mutant under vitest, where hooks of Node are silently ignored: `STORMGLASS_MUTANT=NAME npx vitest run FILE`.
 * Processes that a test starts itself are not edited.
 */
import type { Plugin } from "vitest/config"
import { applyEdit, pathOf } from "../../sim/host/installMutant.ts"
import { findMutant } from "./Session.ts"

/** A name or a file. What it edits it says on standard error, once for each file. */
export const mutantPlugin = (nameOrFile: string): Plugin => {
  const { edits, name } = findMutant(nameOrFile)
  const said = new Set<string>()
  return {
    name: "stormglass-mutant",
    enforce: "pre",
    transform: (source, id) => {
      const here = edits.filter(({ file }) => id === pathOf(file))
      if (here.length === 0) return undefined
      for (const { file } of here) {
        if (!said.has(file)) process.stderr.write(`${editedLine(name, file)}\n`)
        said.add(file)
      }
      return { code: here.reduce(applyEdit, source), map: null }
    }
  }
}

/** What tells whoever started vitest that the mutant was there. */
export const editedLine = (mutant: string, file: string): string => `mutant ${mutant}: ${file} edited`
