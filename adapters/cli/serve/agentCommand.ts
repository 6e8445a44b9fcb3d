/**
 * `stormglass agent`: runs instances as processes of this machine. They outlive the agent: whoever starts it again on the same directory
 * finds them running.
 */
import crypto from "node:crypto"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { dialWithKey, withKey } from "../../../core/client/withKey.ts"
import type { NodeExit } from "../../../core/ports/NodeExit.ts"
import * as AgentWork from "../../../core/agent/AgentWork.ts"
import * as ChildProcesses from "../../node/ChildProcesses.ts"
import * as HttpCalling from "../../node/HttpCalling.ts"
import * as WebSocketDial from "../../websocket/WebSocketDial.ts"
import { UsageError } from "../Usage.ts"
import { untilStopped } from "./untilStopped.ts"

export interface AgentSettings {
  readonly id: string
  /** "http://n1:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
  readonly directory: string
  /** How the process ends itself. */
  readonly exit: Layer.Layer<NodeExit>
  readonly command: ReadonlyArray<string>
  /** How long a process must have lived to run. */
  readonly startMillis: number
  /** Undefined where nobody is asked for one. */
  readonly key: Redacted.Redacted | undefined
  /** Whom it trusts, and what it shows. */
  readonly tls: HttpCalling.TlsOptions
}

/** `around` says what becomes of its log. */
export const agentCommand = (
  settings: AgentSettings,
  around: (program: Effect.Effect<never>) => Effect.Effect<never>
): Promise<void> => untilStopped(around(Effect.onInterrupt(agentProgram(settings), () => saysWhatRunsOn(settings))))

/** The last line of an agent: its instances outlive it, and how they are ended. */
export const saysWhatRunsOn = ({ directory }: Pick<AgentSettings, "directory">): Effect.Effect<void> =>
  Effect.suspend(() => {
    const host = new ChildProcesses.ChildProcesses({ directory: instancesOf(directory), command: [] })
    return Effect.logInfo(runsOn(host.processes(), directory))
  })

/** Pure. */
export const runsOn = (processes: ReadonlyArray<number>, directory: string): string => {
  const count = processes.length
  if (count === 0) return "stopped: no process of an instance is left"
  const end =
    count <= killableMax
      ? `to end ${count === 1 ? "it" : "them"}: kill -- ${processes.map((pid) => -pid).join(" ")}`
      : "to end them, scale their fleets to 0 before the agent stops"
  const which = count === 1 ? "1 instance's process runs on" : `${count} instances' processes run on`
  return `stopped: ${which}, found again by the next agent on ${directory}; ${end}`
}

/** In one line. */
const killableMax = 20

const instancesOf = (directory: string): string => path.join(directory, "instances")

/** Runs for ever; ends this process when another has registered as this agent. */
export const agentProgram = (settings: AgentSettings): Effect.Effect<never> =>
  Effect.gen(function* () {
    const { addresses, command, directory, id, key, startMillis, tls } = settings
    const host = yield* Effect.sync(() => hostOf(directory))
    yield* Effect.logInfo(`agent ${id} runs instances as \`${command.join(" ")}\`, kept in ${directory}`)
    return yield* AgentWork.run({ id, addresses, host }).pipe(
      Effect.provide(
        Layer.mergeAll(
          withKey(key, HttpCalling.layerTls(tls)),
          dialWithKey(key, WebSocketDial.layer({}, tls)),
          settings.exit,
          ChildProcesses.layer({ directory: instancesOf(directory), command, startMillis })
        )
      )
    )
  })

/** The name of what instances run on, made once for each directory. */
function hostOf(directory: string): string {
  const file = path.join(directory, "host")
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    fs.writeFileSync(file, crypto.randomUUID(), { flag: "wx" })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw new UsageError(`${directory}: cannot be used: ${(error as Error).message}`)
    }
  }
  return fs.readFileSync(file, "utf8").trim()
}
