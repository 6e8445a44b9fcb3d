import type { Mutant } from "./Mutant.ts"

export const feedOrderedByTransaction: Mutant = {
  name: "feed-ordered-by-transaction",
  why: "Changes are given by the ids of their transactions: an older one that wrote a row after a younger one is given first, and its value is lost.",
  incident: "measured: the order of transaction ids under the watermark of the oldest one is not the order of commits",
  edits: [
    {
      file: "adapters/postgres/Feed.ts",
      find: "order by ${changesTable}.position + 0`",
      replace: "order by ${changesTable}.xid, ${changesTable}.position`"
    },
    {
      file: "adapters/postgres/Feed.ts",
      find: "a.position - b.position",
      replace: "Number(a.xid) - Number(b.xid) || a.position - b.position"
    }
  ],
  suite: { file: "adapters/postgres/Feed.test.ts", test: "misled by the ids" }
}
