/** Which processes a cluster on one machine consists of, and how each is started. Pure. */
import path from "node:path"
import { UsageError } from "../Usage.ts"

export interface ClusterOptions {
  readonly nodes: number
  readonly agents: number
  /** Of the first node; the others have those that follow. */
  readonly port: number
  /** Absolute. */
  readonly directory: string
  readonly profile: "default" | "conservative"
  /** What runs for each instance. */
  readonly command: string
}

export interface Planned {
  readonly name: string
  readonly kind: "node" | "agent"
  readonly directory: string
  readonly log: string
  /** Of a node. */
  readonly port: number | null
  readonly address: string | null
  /** Of `stormglass`. */
  readonly parameters: ReadonlyArray<string>
}

/** For people: `cluster logs` shows them as they are. */
const logs = ["--log-format", "pretty"]
const nodesMax = 9
const agentsMax = 9
const portMax = 65_535

/** The nodes, then the agents. Throws `UsageError`. */
export const planCluster = (options: ClusterOptions): ReadonlyArray<Planned> => {
  const { agents, command, directory, nodes, port, profile } = options
  requireCount("--nodes", nodes, { min: 1, max: nodesMax })
  requireCount("--agents", agents, { min: 0, max: agentsMax })
  requireCount("--port", port, { min: 1, max: portMax - nodes + 1 })
  const of = (name: string) => ({
    name,
    directory: path.join(directory, name),
    log: logOf(directory, name)
  })
  const plannedNodes = Array.from({ length: nodes }, (_, index): Planned => {
    const common = of(`n${index + 1}`)
    const own = port + index
    // On this machine alone: the API asks nobody who they are.
    const host = "127.0.0.1"
    const address = `http://${host}:${own}`
    const where = ["--host", host, "--port", String(own), "--address", address, "--directory", common.directory]
    return {
      ...common,
      kind: "node",
      port: own,
      address,
      parameters: ["serve", "--id", common.name, ...where, "--profile", profile, ...logs]
    }
  })
  const server = plannedNodes.map(({ address }) => address).join(",")
  const plannedAgents = Array.from({ length: agents }, (_, index): Planned => {
    const common = of(`a${index + 1}`)
    const where = ["--server", server, "--directory", common.directory]
    return {
      ...common,
      kind: "agent",
      port: null,
      address: null,
      parameters: ["agent", "--id", common.name, ...where, "--command", command, ...logs]
    }
  })
  return [...plannedNodes, ...plannedAgents]
}

export const logOf = (directory: string, name: string): string => path.join(directory, "logs", `${name}.log`)

/** The supervisor's own words. */
export const supervisorName = "supervisor"

function requireCount(flag: string, count: number, { max, min }: { readonly min: number; readonly max: number }): void {
  if (!Number.isInteger(count) || count < min || count > max) {
    throw new UsageError(`${flag}: ${count} is not between ${min} and ${max}`)
  }
}
