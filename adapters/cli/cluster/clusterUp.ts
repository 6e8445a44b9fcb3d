/** `stormglass cluster up`: refuses what cannot be, and starts the supervisor, in this process or one that stays. */
import { spawn } from "node:child_process"
import fs from "node:fs"
import { constants } from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { unavailable } from "../../postgres/EmbeddedPostgres.ts"
import { chooseByEnvironment } from "../openDatabase.ts"
import { keyFile } from "../serve/keyStore.ts"
import { UsageError } from "../Usage.ts"
import { table } from "../remote/table.ts"
import { type ClusterState, readState } from "./ClusterState.ts"
import { type ClusterOptions, logOf, planCluster, supervisorName } from "./planCluster.ts"
import { commandLineOf, lastLine, requireFree, requireVacant, superviseCluster, targetOf } from "./superviseCluster.ts"
import * as Redacted from "effect/Redacted"

export interface Up extends ClusterOptions {
  readonly isForeground: boolean
  readonly say: (line: string) => void
  readonly print: (text: string) => void
}

const lookMillis = 50

export const clusterUp = async (options: Up): Promise<void> => {
  const { directory, isForeground, print, say } = options
  const planned = planCluster(options)
  const choice = chooseByEnvironment()
  if (choice._tag === "Server") targetOf(Redacted.value(choice.url) as string)
  else {
    const why = unavailable()
    if (why !== undefined) throw new UsageError(why)
  }
  try {
    fs.mkdirSync(path.dirname(logOf(directory, supervisorName)), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new UsageError(`${directory}: cannot be used: ${(error as Error).message}`)
  }
  await requireVacant(directory)
  await requireFree(planned)
  if (isForeground)
    return await superviseCluster({ directory, planned, say, onUp: (state) => print(upText(state, directory)) })
  const started = await detached(options)
  if (typeof started !== "string") return print(upText(started, directory))
  say("stormglass: stopped before it was up: nothing of it runs")
  process.exitCode = 128 + constants.signals[started]
}

/** The state of the cluster when it is up, or the signal by which somebody changed their mind. */
async function detached(options: Up): Promise<ClusterState | "SIGINT" | "SIGTERM"> {
  const { agents, command, directory, nodes, port, profile } = options
  const log = logOf(directory, supervisorName)
  const descriptor = fs.openSync(log, "a", 0o600)
  const counts = ["--nodes", String(nodes), "--agents", String(agents), "--port", String(port)]
  const others = ["--directory", directory, "--profile", profile, "--command", command]
  const [file, ...parameters] = commandLineOf(["cluster", "up", "--foreground", ...counts, ...others])
  const supervisor = spawn(file as string, parameters, { detached: true, stdio: ["ignore", descriptor, descriptor] })
  fs.closeSync(descriptor)
  let stopped: "SIGINT" | "SIGTERM" | undefined
  const stop = (signal: NodeJS.Signals): void => {
    stopped ??= signal === "SIGINT" ? "SIGINT" : "SIGTERM"
    supervisor.kill("SIGTERM")
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop)
  while (supervisor.exitCode === null && supervisor.signalCode === null) {
    const state = readState(directory)
    if (stopped === undefined && state?.phase === "up" && state.supervisor.pid === supervisor.pid) {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop)
      supervisor.unref()
      return state
    }
    await sleep(lookMillis)
  }
  if (stopped !== undefined) return stopped
  throw new UsageError(lastLine(log))
}

function upText({ members }: ClusterState, directory: string): string {
  const rows = members.map(({ address, kind, name, running }) => [
    name,
    kind,
    String(running?.pid ?? ""),
    address ?? ""
  ])
  const servers = members.flatMap(({ address }) => address ?? [])
  const shown = `export STORMGLASS_SERVER=${servers.join(",")}\nexport STORMGLASS_KEY=$(cat '${keyFile(directory)}')`
  return `${table(["name", "kind", "pid", "address"], rows)}\n\n${shown}`
}
