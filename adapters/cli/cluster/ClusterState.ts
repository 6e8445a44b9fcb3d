/**
 * `cluster.json`: what a cluster on this machine is, written by its supervisor alone and read by everybody else.
 *
 * - S1 Whole or not at all: written beside it, and renamed.
 * - S2 A process is known by its number and its start time: a signal never goes to one that was given the number later.
 * - S3 The file is there from before the first process until after the last; a supervisor that was killed leaves it.
 *
 * Absent on purpose: passwords.
 */
import fs from "node:fs"
import path from "node:path"
import * as Schema from "effect/Schema"
import { problemsText } from "../../../core/json/fieldProblems.ts"
import { orNearest } from "../../../sim/nemesis/nearest.ts"
import { isAlive } from "../../node/processTable.ts"
import { UsageError } from "../Usage.ts"

const Running = Schema.Struct({ pid: Schema.Int, startTime: Schema.String })
export type Running = typeof Running.Type

const Member = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literals(["node", "agent"]),
  directory: Schema.String,
  log: Schema.String,
  /** Of a node. */
  address: Schema.NullOr(Schema.String),
  /** Null while it is down: it is started again a moment later. */
  running: Schema.NullOr(Running),
  /** How often it ended and was started again. */
  restarts: Schema.Int
})
export type Member = typeof Member.Type

const ClusterState = Schema.Struct({
  version: Schema.Literal(1),
  phase: Schema.Literals(["starting", "up", "stopping"]),
  supervisor: Running,
  members: Schema.Array(Member),
  /** Names of the nodes that are cut off from the database now. */
  cut: Schema.Array(Schema.String)
})
export type ClusterState = typeof ClusterState.Type

const decode = Schema.decodeUnknownSync(ClusterState)

export const stateFile = (directory: string): string => path.join(directory, "cluster.json")

/** Where the supervisor is asked to cut a node off: while a file of its name is there, it is. */
export const cutFile = (directory: string, name: string): string => path.join(directory, "cut", name)

/** Throws `UsageError` for what is no state of a cluster. */
export const parseState = (text: string, file: string): ClusterState => {
  try {
    return decode(JSON.parse(text))
  } catch (error) {
    throw new UsageError(
      `${file}: not the state of a cluster (${problemsText(error)}); stop its processes by hand, if any are left, and remove it`
    )
  }
}

/** Undefined where there is none. */
export const readState = (directory: string): ClusterState | undefined => {
  const file = stateFile(directory)
  try {
    return parseState(fs.readFileSync(file, "utf8"), file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR" || (error as NodeJS.ErrnoException).code === "EISDIR")
      throw new UsageError(`${directory}: no directory of a cluster`)
    throw error
  }
}

/** The first of all: false where another cluster has the directory. */
export const claim = (directory: string, state: ClusterState): boolean => {
  const draft = `${stateFile(directory)}.${process.pid}`
  fs.writeFileSync(draft, textOf(state), { mode: 0o600 })
  try {
    fs.linkSync(draft, stateFile(directory))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false
    throw error
  } finally {
    fs.rmSync(draft)
  }
}

export const writeState = (directory: string, state: ClusterState): void => {
  const target = stateFile(directory)
  fs.writeFileSync(`${target}.new`, textOf(state), { mode: 0o600 })
  fs.renameSync(`${target}.new`, target)
}

export const isRunning = ({ pid, startTime }: Running): boolean => isAlive(pid, startTime)

/** The cluster that runs there. Throws `UsageError` where none does. */
export const requireCluster = (directory: string): ClusterState => {
  const state = readState(directory)
  if (state === undefined) {
    throw new UsageError(`${directory}: no cluster is there; \`stormglass cluster up\` starts one (--directory)`)
  }
  if (!isRunning(state.supervisor)) {
    throw new UsageError(`${directory}: the cluster's supervisor was killed; \`stormglass cluster down\` clears up`)
  }
  return state
}

/** The member of that name, of that kind where one is given. Throws `UsageError`. */
export const requireMember = ({ members }: ClusterState, name: string, kind?: Member["kind"]): Member => {
  const known = members.filter((member) => kind === undefined || member.kind === kind)
  const found = known.find((member) => member.name === name)
  if (found !== undefined) return found
  const names = known.map((member) => member.name)
  const what = kind === "node" ? "node" : "process"
  const hint = orNearest(name, names) || `; there are ${names.join(", ")}`
  throw new UsageError(`there is no ${what} "${name}" in the cluster${hint}`)
}

/** As which process it runs. Throws `UsageError` while it is down. */
export const requireRunning = ({ name, running }: Member): Running => {
  if (running !== null && isRunning(running)) return running
  throw new UsageError(`${name} is down; it is started again within a second or two`)
}

function textOf(state: ClusterState): string {
  return `${JSON.stringify(state, null, 2)}\n`
}
