/** A file is one noun or one verb. These names say neither, and collect what has no home. */
import path from "node:path"
import type { Rule } from "./Rule.ts"

const saysNothing: ReadonlySet<string> = new Set(["index", "utils", "util", "helpers", "helper", "types", "common"])

export const rule: Rule = {
  meta: { type: "problem", docs: { description: "keeps barrels and catch-all files out" } },
  create: (context) => ({
    Program: (node) => {
      const file = path.basename(context.filename).split(".")[0]!
      const folder = path.basename(path.dirname(context.filename))
      for (const name of [file, folder].filter((it) => saysNothing.has(it.toLowerCase()))) {
        context.report({ node, message: `"${name}" says nothing: name the noun or the verb that this is` })
      }
    }
  })
}
