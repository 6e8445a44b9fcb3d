/** The control planes that were started in this directory: where they are, and the key that each keeps for commands that are typed here. */
import fs from "node:fs"
import path from "node:path"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { isRunning, readState } from "../cluster/ClusterState.ts"
import { agentSettings } from "../config/settings.ts"
import { keyFile } from "../serve/keyStore.ts"
import { UsageError } from "../Usage.ts"

export interface Started {
  readonly addresses: ReadonlyArray<string>
  /** Where its key is, if it has one. */
  readonly keyFile: string
}

const clusterDirectory = "./data/cluster"
const nodeDirectory = "./data"

/** The cluster first, then the node. */
export const startedHere = (): ReadonlyArray<Started> => {
  const state = readState(path.resolve(clusterDirectory))
  const cluster =
    state === undefined || !isRunning(state.supervisor)
      ? []
      : [
          {
            addresses: state.members.flatMap(({ address }) => (address === null ? [] : [address])),
            keyFile: keyFile(clusterDirectory)
          }
        ]
  const node = { addresses: readAddresses(nodeDirectory), keyFile: keyFile(nodeDirectory) }
  return [...cluster, node]
}

/** Whose all these addresses are: its key is for them, and for nobody else on this machine. */
export const startedAt = (addresses: ReadonlyArray<string>): Started | undefined =>
  startedHere().find((started) => {
    const own = new Set(started.addresses.filter(isHere).map(placeOf))
    return addresses.every((address) => own.has(placeOf(address)))
  })

const addressFile = (directory: string): string => path.join(directory, "address")

/** Kept while the node runs, for commands that are typed beside it. */
export const writeAddresses = (directory: string, addresses: ReadonlyArray<string>): void => {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  fs.writeFileSync(addressFile(directory), addresses.map((address) => `${address}\n`).join(""))
}

export const removeAddresses = (directory: string): void => fs.rmSync(addressFile(directory), { force: true })

/** Where a node is that says nothing. */
function readAddresses(directory: string): ReadonlyArray<string> {
  const file = path.resolve(addressFile(directory))
  try {
    return fs
      .readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => URL.canParse(line))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return agentSettings.server.default
    throw new UsageError(`${file}: cannot be read: ${reasonOf(error)}`)
  }
}

const localNames = ["localhost", "127.0.0.1", "[::1]"]

const isHere = (address: string): boolean => localNames.includes(new URL(address).hostname)

function placeOf(address: string): string {
  const { hostname, port, protocol } = new URL(address)
  return `${protocol}//${localNames.includes(hostname) ? "localhost" : hostname}:${port}`
}
