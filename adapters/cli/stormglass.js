#!/usr/bin/env node
/**
 * The `stormglass` command: finds a Node that can run Stormglass, and becomes it. Plain JavaScript that an old Node can
 * parse, because it is what an old Node is asked to run.
 *
 * - In a checkout the sources run by type stripping, always on the pinned Node (the `node` development dependency), so
 *   that digests are comparable between machines whatever Node the host has.
 * - Installed as a package (where Node strips no types) the built `dist/` runs on the host's Node.
 * - A child Node inherits the terminal and is sent every signal sent here (not a Ctrl-C: the terminal itself sends that
 *   to both, and a second one means "at once"). Its end, code or signal, is the end here; and the end here, also by a SIGKILL
 *   that nobody can pass on, is its end (`endWithLauncher.ts`), by a channel that carries nothing else.
 */
import { spawn } from "node:child_process"
import { existsSync, realpathSync } from "node:fs"
import { constants } from "node:os"
import { fileURLToPath, pathToFileURL } from "node:url"

const nodeMajorMin = 24
const wrongUsage = 2

const source = fileURLToPath(new URL("./main.ts", import.meta.url))
const built = fileURLToPath(new URL("../../dist/adapters/cli/main.js", import.meta.url))
const compiled = fileURLToPath(new URL("../../node_modules/.cache/stormglass", import.meta.url))
const pinned = fileURLToPath(new URL("../../node_modules/node/bin/node", import.meta.url))

const isCheckout = existsSync(source)
const main = isCheckout ? source : built
/** In a checkout `stormglass/sim/...` leads to the sources. */
const condition = "--conditions=stormglass-source"
// Each run leaves nothing, and workers have all cores: a young generation of fixed size, in MB, that most of a run fits
// in, collected by the thread it is of. Collectors that share their work, or small generations, cost a tenth more.
const memory = ["--min-semi-space-size=64", "--max-semi-space-size=64", "--single-threaded-gc"]

if (isCheckout && existsSync(pinned) && !isPinned()) become(pinned)
else if (Number.parseInt(process.versions.node, 10) >= nodeMajorMin) {
  process.argv[1] = main
  await import(pathToFileURL(main).href)
} else refuse()

function isPinned() {
  return realpathSync(pinned) === realpathSync(process.execPath) && process.execArgv.includes(condition)
}

function become(node) {
  const child = spawn(node, [...process.execArgv, condition, ...memory, main, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    // What was stripped and compiled once is not again: a third of the time of a start.
    env: { NODE_COMPILE_CACHE: compiled, ...process.env }
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"]) {
    process.on(signal, () => (signal !== "SIGINT" || !process.stdin.isTTY ? child.kill(signal) : undefined))
  }
  child.on("error", (error) => {
    process.stderr.write(`stormglass: cannot start ${node}: ${error.message}\n`)
    process.exit(wrongUsage)
  })
  child.on("exit", (code, signal) => {
    if (signal === null) return process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    // A signal that this process outlives (it was blocked, or has no default end) still ends it the way a shell says it.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100)
  })
}

function refuse() {
  const remedy = isCheckout ? "run `npm ci` first, which installs the pinned one" : "install Node 24 or newer"
  process.stderr.write(
    `stormglass: needs Node ${nodeMajorMin} or newer, and this is Node ${process.versions.node}: ${remedy}\n`
  )
  process.exit(wrongUsage)
}
