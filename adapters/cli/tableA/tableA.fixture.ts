/** The rows of table A: what a provisioner must do, in one line each. What covers a row says so itself, by a marker beside it. */

export interface Row {
  /** "A7" */
  readonly id: string
  readonly title: string
  /** What nothing shows yet. A row that nothing covers must say so; one that is covered may say what is left. */
  readonly missing?: string
}

export const rows: ReadonlyArray<Row> = [
  { id: "A1", title: "One key in either spelling of its header, in its scope: one effect, and the same bytes again" },
  { id: "A2", title: "The effect of a key and its answer are one commit" },
  { id: "A3", title: "Of many who race with one key one runs; the others are told what it was told, or to come back" },
  { id: "A4", title: "What is remembered of a key: success and settled refusals, never a failure without an answer" },
  { id: "A5", title: "Who died in the middle of a key is taken over, and finishes nothing any more" },
  { id: "A6", title: "Another key for what is there already: the same wish is told so, another is refused" },
  { id: "A7", title: "States move along one table, for the code and for the database alike" },
  {
    id: "A8",
    title: "A wish is a generation; what runs becomes what is wished, and the generation that is observed says so"
  },
  { id: "A9", title: "Scaling up never passes the wish, whoever does it twice" },
  { id: "A10", title: "Scaling down takes exactly the surplus, the most expendable first" },
  { id: "A11", title: "A deletion is of one uid; the row leaves after what it stands for was seen to be gone" },
  {
    id: "A12",
    title:
      "Silence of 30 s by the receiver's clock is a failure; who returns is known again; many at once are left alone"
  },
  {
    id: "A13",
    title:
      "What is seen decides, not what was heard of: with nothing lost work is found at once, with every notification lost it converges all the same"
  },
  {
    id: "A14",
    title: "A key is looked at one look at a time, with a backoff of its own and one rate for the retries of all"
  },
  {
    id: "A15",
    title: "The database is the truth: whoever starts again knows what was committed, and nothing else"
  },
  {
    id: "A16",
    title: "Each shared field has one writer",
    missing:
      "no type keeps a wrong writer out, as all write through one port: the fence, an invariant and a test of every column do"
  },
  { id: "A17", title: "All nodes work on their buckets, with or without a leader" },
  { id: "A18", title: "A lease is taken in one statement, by the database's clock, in a new epoch" },
  {
    id: "A19",
    title: "Who holds a lease acts for less time than its row lasts, and profiles that do not allow it are refused"
  },
  { id: "A20", title: "Every write under a lease carries its epoch: a holder that wakes up late changes nothing" },
  { id: "A21", title: "After a crash another leads within the lease and a retry, after a clean stop at once" },
  { id: "A22", title: "Who lost a lease has stopped before another may start, or its process is gone" },
  {
    id: "A23",
    title: "Keys to buckets by the hash that Go has, buckets to nodes by weighted rendezvous: who joins moves little"
  },
  { id: "A24", title: "Static places for development; two nodes with one index do not both start" },
  { id: "A25", title: "No tick reads a whole table: buckets and due times are found by indexes" },
  {
    id: "A26",
    title: "Each group of buckets has a lease and an epoch of its own; a node that dies moves only its own"
  },
  { id: "A27", title: "The buckets of a node that died are others' within the lease and one look" },
  {
    id: "A28",
    title: "Who watches a fleet goes on where it was, whichever node it asks; who waits is told when all is as wanted"
  },
  {
    id: "A29",
    title: "Each thing that an operator does is a command with an exit code"
  },
  { id: "A30", title: "One command makes a cluster on this machine, another kills its leader" },
  {
    id: "A31",
    title: "One suite for the simulator, the embedded database, real Postgres, and whoever answers at an address"
  },
  { id: "A32", title: "Metrics of what is wanted and what is there, of reconciling, queues and leases" },
  {
    id: "A33",
    title: "Any edge may be cut, anything may be repeated: what must hold holds",
    missing:
      "100,000 seeds of it are half a day of two cores, a campaign and no test: `stormglass run everything --seeds 100000 --store FILE`"
  },
  { id: "A34", title: "The five usual mistakes are found when they are planted" }
]
