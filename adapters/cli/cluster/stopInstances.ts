/** Ends every process that the agents of a cluster have started. The agents must have ended, or they would start others. */
import path from "node:path"
import { ChildProcesses } from "../../node/ChildProcesses.ts"
import type { ClusterState } from "./ClusterState.ts"

const lookMillis = 20

/** How many there were. Each is asked until it is gone; who does not listen is killed (`ChildProcesses`). */
export const stopInstances = async (state: ClusterState): Promise<number> => {
  const hosts = hostsOf(state)
  const started = hosts.flatMap((host) => host.list()).length
  while (hosts.some((host) => host.list().length > 0)) {
    for (const host of hosts) for (const uid of host.list()) host.stop(uid)
    await new Promise((resolve) => setTimeout(resolve, lookMillis))
  }
  return started
}

/** How many run now. */
export const countInstances = (state: ClusterState): number =>
  hostsOf(state)
    .flatMap((host) => host.list().map((uid) => host.observe(uid)))
    .filter((observed) => observed === "Running").length

function hostsOf({ members }: ClusterState): ReadonlyArray<ChildProcesses> {
  return members
    .filter(({ kind }) => kind === "agent")
    .map(({ directory }) => new ChildProcesses({ directory: path.join(directory, "instances"), command: [] }))
}
