import type { Mutant } from "./Mutant.ts"

export const feedTrustsPositions: Mutant = {
  name: "feed-trusts-positions",
  why: "The poller asks for positions above the last one it saw: what drew a lower one and commits later is never given.",
  incident: "outbox pollers by id: 41 and 42 commit in the other order",
  edits: [
    {
      file: "adapters/postgres/Feed.ts",
      find: "pg_visible_in_snapshot(xid, (select $4::text::pg_snapshot))",
      replace: "$4::text is not null"
    },
    {
      file: "adapters/postgres/Feed.ts",
      find: "const next: FeedCursor = isComplete",
      replace: "const next: FeedCursor = recorded.length === 0"
    }
  ],
  suite: { file: "adapters/postgres/Feed.test.ts", test: "misled by a sequence" }
}
