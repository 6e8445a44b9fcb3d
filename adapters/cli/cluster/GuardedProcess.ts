/**
 * A process that does not outlive this one, however this one ends and even if that process is stopped (SIGSTOP): a shell between the two
 * holds the read end of a pipe, whose end of file kills it.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import { startTimeOf } from "../../node/processTable.ts"
import type { Running } from "./ClusterState.ts"

/** Says the process's number first. The watcher reads through another descriptor: a shell gives background jobs an empty input. */
const guard = `
exec 3<&0
log=$1
shift
"$@" </dev/null >>"$log" 2>&1 3<&- &
command=$!
echo $command
(
  trap '' INT TERM HUP
  cat <&3 >/dev/null
  kill -KILL $command
) >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null
wait $command
status=$?
kill -KILL $watcher 2>/dev/null
exit $status
`

export interface Guarded {
  /** Undefined when it ended before it could be looked at. */
  readonly running: Running | undefined
  /** "exit code 1", "SIGKILL"; resolves when it has ended. */
  readonly ended: Promise<string>
  /** Ends it at once, whatever it does. */
  readonly kill: () => void
}

/** Its output is appended to `log`. */
export const startGuarded = async (
  command: ReadonlyArray<string>,
  options: { readonly log: string; readonly env: NodeJS.ProcessEnv }
): Promise<Guarded> => {
  fs.closeSync(fs.openSync(options.log, "a", 0o600))
  // A session of its own: a Ctrl-C is for this process, which stops the others in order.
  const shell = spawn("/bin/sh", ["-c", guard, "sh", options.log, ...command], {
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
    env: options.env
  })
  const ended = once(shell, "exit").then(([code]) => {
    shell.stdin?.destroy()
    return howItEnded(code as number | null)
  })
  const pid = await numberSaid(shell)
  const startTime = pid === undefined ? undefined : startTimeOf(pid)
  return {
    running: pid === undefined || startTime === undefined ? undefined : { pid, startTime },
    ended,
    kill: () => shell.stdin?.end()
  }
}

async function numberSaid(shell: ChildProcess): Promise<number | undefined> {
  let said = ""
  for await (const bytes of shell.stdout!) {
    said += String(bytes)
    if (said.includes("\n")) break
  }
  return said === "" ? undefined : Number(said)
}

/** A shell says a signal as 128 and its number. */
function howItEnded(code: number | null): string {
  const names: Readonly<Record<number, string>> = { 129: "SIGHUP", 130: "SIGINT", 137: "SIGKILL", 143: "SIGTERM" }
  return code === null ? "SIGKILL" : (names[code] ?? `exit code ${code}`)
}
