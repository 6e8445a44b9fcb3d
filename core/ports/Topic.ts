/** What a commit may be about, so that a hint of it wakes only those whom it concerns: each is of some columns, set to the present. */
export const topics = [
  /** A lease was released. */
  "released",
  /** Somebody's work is due. */
  "due",
  /** What is counted of fleets is different. */
  "moved"
] as const
export type Topic = (typeof topics)[number]

/** By column, what a commit is about that sets it to the present. */
export type Topics = Readonly<Record<string, Topic>>

/** Of a row that was written: `isNow` says which columns were set to the present. */
export const topicsOfWrite = (
  table: { readonly topics: Topics },
  isNow: (column: string) => boolean
): ReadonlyArray<Topic> => Object.entries(table.topics).flatMap(([column, topic]) => (isNow(column) ? [topic] : []))

/** Of a row that has left: all that one of its table may be about. */
export const topicsOfRemoval = (table: { readonly topics: Topics }): ReadonlyArray<Topic> => Object.values(table.topics)
