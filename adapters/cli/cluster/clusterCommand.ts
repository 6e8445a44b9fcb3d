/** The commands for a cluster on this machine that is there already. Each throws `CommandError` with what is wrong, in one line. */
import fs from "node:fs"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { isStopped } from "../../node/processTable.ts"
import { orNearest } from "../../../sim/nemesis/nearest.ts"
import { type Key, readKey } from "../serve/keyStore.ts"
import { CommandError, UsageError } from "../Usage.ts"
import { askNodes, untilTaken } from "./askNodes.ts"
import { type Row, leaderAmong, nameOfHolder, statusRows } from "./ClusterStatus.ts"
import {
  type ClusterState,
  type Member,
  cutFile,
  isRunning,
  readState,
  requireCluster,
  requireMember,
  requireRunning,
  stateFile
} from "./ClusterState.ts"
import { readiness } from "./isReady.ts"
import type { Log } from "./logLines.ts"
import { logOf, supervisorName } from "./planCluster.ts"
import { countInstances, stopInstances } from "./stopInstances.ts"

const lookMillis = 50
/** T of the conservative profile, and then some. */
const takeoverWithinMillis = 30_000
const supervisorHearsWithinMillis = 5_000
/** The supervisor has 45 s. */
const downWithinMillis = 60_000

export const status = async (directory: string): Promise<ReadonlyArray<Row>> => {
  const state = requireCluster(directory)
  const told = askNodes(addressesOf(state), readKey(directory))
  const processes = state.members.map(async ({ address, kind, name, restarts, running }) => {
    const pid = running !== null && isRunning(running) ? running.pid : null
    const isPaused = pid !== null && isStopped(pid)
    return {
      name,
      kind,
      address,
      pid,
      isPaused,
      isCut: state.cut.includes(name),
      restarts,
      // One that is stopped answers nobody.
      readiness: address === null || isPaused ? null : await readiness(address)
    }
  })
  return statusRows(await Promise.all(processes), await told)
}

/** What happened, in one line. */
export const killLeader = async (directory: string): Promise<string> => {
  const state = requireCluster(directory)
  const { holder, epoch } = await requireLeader(state, readKey(directory))
  const leader = requireMember(state, nameOfHolder(holder), "node")
  const { pid } = requireRunning(leader)
  const fromMillis = performance.now()
  process.kill(pid, "SIGKILL")
  const taken = await untilTaken(addressesOf(state), {
    key: readKey(directory),
    epoch,
    withinMillis: takeoverWithinMillis
  })
  const seconds = ((performance.now() - fromMillis) / 1_000).toFixed(2)
  if (taken === undefined) throw new CommandError(`killed ${leader.name}; nobody leads after ${seconds} s`, "late")
  return `killed ${leader.name}, which led with epoch ${epoch}; ${taken.holder} leads with epoch ${taken.epoch} after ${seconds} s`
}

export const pause = (directory: string, name: string): string => {
  process.kill(requireRunning(requireMember(requireCluster(directory), name)).pid, "SIGSTOP")
  return `${name} is paused; \`stormglass cluster resume ${name}\` lets it go on`
}

export const resume = (directory: string, name: string): string => {
  process.kill(requireRunning(requireMember(requireCluster(directory), name)).pid, "SIGCONT")
  return `${name} goes on`
}

/** Resolves when nothing passes between the node and the database any more. */
export const partition = async (directory: string, name: string): Promise<string> => {
  requireMember(requireCluster(directory), name, "node")
  fs.writeFileSync(cutFile(directory, name), "")
  await untilCut(directory, name, true)
  return `${name} is cut off from the database; \`stormglass cluster heal ${name}\` joins them again`
}

export const heal = async (directory: string, name: string): Promise<string> => {
  requireMember(requireCluster(directory), name, "node")
  fs.rmSync(cutFile(directory, name), { force: true })
  await untilCut(directory, name, false)
  return `${name} reaches the database`
}

/** Ends all of it, also what a supervisor that was killed has left. What was stopped, in one line. */
export const down = async (directory: string): Promise<string> => {
  const state = readState(directory)
  if (state === undefined) throw new UsageError(`${directory}: no cluster is there (--directory)`)
  const instances = countInstances(state)
  const stopped = (kind: Member["kind"]) =>
    state.members.filter((member) => member.kind === kind && member.running !== null && isRunning(member.running))
      .length
  const what = `${counted(stopped("node"), "node")}, ${counted(stopped("agent"), "agent")} and ${counted(instances, "instance")}`
  if (!isRunning(state.supervisor)) {
    await stopInstances(state)
    fs.rmSync(stateFile(directory), { force: true })
    return `stopped ${counted(instances, "instance")} of a cluster whose supervisor had been killed`
  }
  process.kill(state.supervisor.pid, "SIGTERM")
  await until(() => !isRunning(state.supervisor), downWithinMillis, "the supervisor has not ended")
  return `stopped ${what}`
}

/** Those of the names that are given, or all; the logs of a cluster that is down are there as well. Throws `UsageError`. */
export const logsOf = (directory: string, names: ReadonlyArray<string>): ReadonlyArray<Log> => {
  const folder = path.dirname(logOf(directory, supervisorName))
  const known = !fs.existsSync(folder)
    ? []
    : fs
        .readdirSync(folder)
        .filter((name) => name.endsWith(".log"))
        .map((name) => name.slice(0, -".log".length))
        .toSorted()
  if (known.length === 0) throw new UsageError(`${directory}: no cluster has been there (--directory)`)
  const absent = names.find((name) => !known.includes(name))
  if (absent !== undefined) {
    const hint = orNearest(absent, known) || `; there are ${known.join(", ")}`
    throw new UsageError(`there is no log of "${absent}"${hint}`)
  }
  return (names.length === 0 ? known : names).map((name) => ({ name, file: logOf(directory, name) }))
}

export const addressesOf = ({ members }: ClusterState): ReadonlyArray<string> =>
  members.flatMap(({ address }) => (address === null ? [] : [address]))

async function requireLeader(state: ClusterState, key: Key | undefined) {
  const told = await askNodes(addressesOf(state), key)
  if (told.leases === null) throw new CommandError("no node answers; see `stormglass cluster status`", "unanswered")
  const leader = leaderAmong(told)
  if (leader === undefined)
    throw new CommandError("nobody leads just now; see `stormglass cluster status`", "unanswered")
  return leader
}

async function untilCut(directory: string, name: string, isCut: boolean): Promise<void> {
  const isDone = (): boolean => requireCluster(directory).cut.includes(name) === isCut
  await until(isDone, supervisorHearsWithinMillis, "the supervisor does not answer")
}

async function until(isDone: () => boolean, withinMillis: number, problem: string): Promise<void> {
  const untilMillis = performance.now() + withinMillis
  while (!isDone()) {
    if (performance.now() > untilMillis) throw new CommandError(`${problem} after ${withinMillis / 1_000} s`, "late")
    await sleep(lookMillis)
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
