/**
 * The `stormglass` command: what was typed is run, and the process ends with its exit code.
 */
import { constants } from "node:os"
import { state, stormglass } from "./commandLine.ts"
import { endWithLauncher } from "./endWithLauncher.ts"
import { runCommand } from "./runCommand.ts"

/** One signal may come twice: to the whole group, and again from the launcher. */
const signalEchoMillis = 500
let stopMillis = 0
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (state.stopSignal === undefined) {
      stopMillis = performance.now()
      state.stopSignal = signal
      state.isStopped = true
    } else if (performance.now() - stopMillis > signalEchoMillis) process.exit(128 + constants.signals[signal])
  })
}

// Whoever reads may have read enough: `stormglass list mutants | head`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
    process.exit(state.exitCode)
  })
}

endWithLauncher()
state.exitCode = (await runCommand(stormglass)) ?? state.exitCode
// What was stopped has not shown what it was asked for, whatever it has shown; a service that was stopped in order says so itself.
process.exitCode ??= state.stopSignal === undefined ? state.exitCode : 128 + constants.signals[state.stopSignal]
