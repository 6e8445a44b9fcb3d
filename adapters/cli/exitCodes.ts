/** What the exit codes mean: the one place that says so. A code means one thing, whichever command ends with it. */

const endings = {
  done: { code: 0, means: "done: nothing failed, all that was asked for is so" },
  found: { code: 1, means: "a failure was found: a run, a law, a chain of hashes; or this program itself failed" },
  misused: { code: 2, means: "the command line, a file, a setting or what is on this machine is not as it must be" },
  nondeterministic: { code: 3, means: "the program left the simulation, or a digest differs" },
  undecided: { code: 4, means: "`check` came to no verdict in its time or memory" },
  refused: {
    code: 5,
    means: "the control plane refuses: the key may not, a quota, a conflict, a request that is wrong"
  },
  missing: { code: 6, means: "the control plane has no such thing" },
  unanswered: { code: 7, means: "no node was reached, or none can answer just now: try again later, or another node" },
  late: { code: 8, means: "it was not so within the time that was given: `wait --timeout`" }
} as const

/** How a command ends. */
export type Ending = keyof typeof endings

export const exitCodeOf = (ending: Ending): number => endings[ending].code

/** Whatever else may end a process, for the help. */
const others = [
  { code: "75", means: "`serve` or `agent` ended itself, and is to be started again" },
  {
    code: "130, 143",
    means: "it was told to stop: SIGINT, SIGTERM; a node or an agent that has stopped in order ends with 0"
  }
]

/** A line for each, by number. */
export const exitCodeLines = (): ReadonlyArray<string> =>
  [...Object.values(endings), ...others].map(({ code, means }) => `${String(code).padEnd(8)}  ${means}`)
