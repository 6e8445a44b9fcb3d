import type { Mutant } from "./Mutant.ts"

export const pagesOfNow: Mutant = {
  name: "pages-of-now",
  why: "Each page of a list shows what there is when it is asked for, not what there was when the list began.",
  incident: "Lists by offset: rows that come and go between two pages are shown twice, or never",
  runsIn: "api/listed-while-it-changes",
  edits: [
    {
      file: "core/api/paging.ts",
      find: "if (seen.has(id)) continue",
      replace: "if (!seen.has(id)) continue"
    }
  ]
}
