/**
 * `npm run fuzz`: a node on real Postgres, two tenants and an operator, and requests that are drawn from its OpenAPI document, beside raw bytes
 * on its port and connections that dawdle. What must be: no answer of 500 or more, no word of one tenant to the other, no crash, no growth of
 * memory, and everybody else is answered all the time.
 */
import { spawn } from "node:child_process"
import fs from "node:fs"
import http from "node:http"
import net from "node:net"
import os from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { waitSecondsMax } from "../../../core/Limits.ts"
import { make, urlOf } from "../../postgres/EmbeddedPostgres.ts"
import { plainDatabase } from "../../postgres/plainDatabase.ts"
import { isReady } from "../cluster/isReady.ts"
import { createKey } from "../remote/keyCommands.ts"
import { apply, type Remote } from "../remote/remoteCommands.ts"
import { attempt, runCommand } from "../runCommand.ts"
import { firstKeyCommand } from "../serve/firstKeyCommand.ts"
import { type Document, type DrawnRequest, requests } from "./requestArbitrary.ts"
import { rawBytes } from "./rawBytes.ts"

const launcher = path.join(import.meta.dirname, "..", "stormglass.js")
const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** What tenant b has, and nobody else may read. */
const secret = `canary-${process.pid}-of-b`
const lanes = 24
const chunk = 500
const answerWithinMillis = 10_000
/** Of a request that is right, whatever else goes on. */
const bystanderWithinMillis = 3_000
const dawdlers = 20
/** Later memory over earlier, once caches and code are warm. */
const growthMax = 1.25

interface Options {
  readonly requests: number
  readonly seed: number
  readonly port: number
}

interface Found {
  readonly statuses: Map<number, number>
  readonly problems: Array<string>
}

async function fuzz({ port, requests: wanted, seed }: Options, database: string): Promise<void> {
  const found: Found = { statuses: new Map(), problems: [] }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-fuzz-"))
  const env = {
    ...process.env,
    DATABASE_URL: database,
    STORMGLASS_RATE_PRINCIPAL: "1000000/1000000",
    STORMGLASS_RATE_PROJECT: "1000000/1000000"
  }
  const serve = [
    "serve",
    "--id",
    "n1",
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "--migrate",
    "--directory",
    directory
  ]
  const log = fs.openSync(path.join(directory, "log"), "w")
  const node = spawn(process.execPath, [launcher, ...serve], { env, stdio: ["ignore", log, log] })
  const ended = new Promise((resolve) => node.once("exit", resolve))
  try {
    const address = `http://127.0.0.1:${port}`
    for (let tries = 0; !(await isReady(address)); tries++) {
      if (tries > 300 || node.exitCode !== null)
        throw new Error(`the node did not start: ${fs.readFileSync(path.join(directory, "log"), "utf8")}`)
      await sleep(100)
    }
    const document = (await (await fetch(`${address}/openapi.json`)).json()) as Document
    const url = Redacted.make(database)
    const admin = await firstKeyCommand({
      choice: { _tag: "Server", url },
      origin: "",
      isAgain: true,
      say: () => undefined
    })
    const remote = (project: string): Remote => ({ addresses: [address], project, key: Redacted.make(admin) })
    const keyOf = async (
      principal: string,
      verbs: ReadonlyArray<"read" | "write" | "agent">,
      projects: ReadonlyArray<string>
    ) => (await createKey(remote("a"), { principal, verbs, projects, expiresInSeconds: undefined })).token
    const tenant = await keyOf("a", ["read", "write"], ["a"])
    const agent = await keyOf("agents", ["agent"], ["*"])
    await apply(remote("b"), { name: "web", desired: 2, spec: { image: secret, size: "small" } })
    await apply(remote("a"), { name: "web", desired: 1, spec: { image: "web:1", size: "small" } })
    const uids = async (project: string) => {
      const headers = { authorization: `Bearer ${admin}` }
      const answer = await fetch(`${address}/v1/projects/${project}/instances`, { headers })
      return ((await answer.json()) as { items: ReadonlyArray<{ uid: string }> }).items.map(({ uid }) => uid)
    }
    while ((await uids("b")).length < 2 || (await uids("a")).length < 1) await sleep(200)
    const likely = [
      "a",
      "a",
      "a",
      "b",
      "web",
      "x1",
      "a1",
      "small",
      "image:1",
      "0123456789abcdef",
      "f".repeat(64),
      ...(await uids("a")),
      ...(await uids("b"))
    ]

    // Whoever holds them may see nothing of b.
    const outsiders = [tenant, agent, "", `${tenant.slice(0, -1)}0`]
    // Most come with a key that may: what is refused at the gate shows nothing of what is behind it.
    const keyFor = (target: string, isOperator: boolean): string =>
      /^\/v1\/(projects|instances)/.test(target)
        ? isOperator
          ? admin
          : tenant
        : target.startsWith("/v1/agents/")
          ? agent
          : admin
    // An agent is told what it is to run, whosever it is.
    const maySee = (key: string, target: string): boolean =>
      key === admin || (key === agent && /^\/v1\/agents\/[^/]+\/exchanges/.test(target))
    const arbitrary = fc
      .record({ request: requests(document, { likely }), misfit: fc.constantFrom(...outsiders), chance: fc.nat(9) })
      .map(
        ({ chance, misfit, request }) => [request, chance < 2 ? misfit : keyFor(request.target, chance === 2)] as const
      )
    const pid = pidOfNode(node.pid!)
    const memory: Array<number> = []
    const dawdling = Array.from({ length: dawdlers }, () => dawdle(port))
    const agentOfHttp = new http.Agent({ keepAlive: true, maxSockets: lanes })
    const bystander = setInterval(() => void standBy(address, admin, found), 500)
    bystander.unref()
    for (let done = 0; done < wanted && node.exitCode === null; done += chunk) {
      const drawn = fc.sample(arbitrary, { seed: seed + done, numRuns: chunk })
      const raw = fc.sample(rawBytes, { seed: seed + done, numRuns: chunk / 10 })
      await inLanes(drawn, async ([request, key]) => {
        const { status, text } = await send(port, agentOfHttp, request, key)
        found.statuses.set(status, (found.statuses.get(status) ?? 0) + 1)
        const what = `${request.method} ${request.target} ${request.body ?? ""}`.slice(0, 400)
        if (status >= 500 || status === 429) found.problems.push(`${status}: ${what}: ${text.slice(0, 300)}`)
        if (status === 0) found.problems.push(`no answer: ${what}: ${text}`)
        if (!maySee(key, request.target) && text.includes(secret)) found.problems.push(`b's secret was told: ${what}`)
      })
      await inLanes(raw, (bytes) => sendRaw(port, bytes, found))
      const bytes = residentBytes(pid)
      if (bytes === 0) await ended
      else memory.push(bytes)
      if (done % (chunk * 10) === 0)
        say(`${done} of ${wanted}, ${found.problems.length} problems, ${(memory.at(-1)! / 2 ** 20).toFixed(0)} MB`)
      if (found.problems.length > 20) break
    }
    clearInterval(bystander)
    for (const socket of dawdling) socket.destroy()
    agentOfHttp.destroy()
    if (node.exitCode !== null) {
      const last = fs.readFileSync(path.join(directory, "log"), "utf8").trim().split("\n").slice(-5).join("\n")
      found.problems.push(`the node ended with ${node.exitCode}: ${last}`)
    } else if (!(await isReady(address))) found.problems.push("the node is not ready any more")
    if (pidOfNode(node.pid!) !== pid) found.problems.push("the node is another process")
    const grown = growthOf(memory)
    if (grown > growthMax)
      found.problems.push(`its memory grew by ${((grown - 1) * 100).toFixed(0)} % from the second quarter to the last`)
    report(found, wanted, memory, grown)
  } finally {
    if (node.exitCode === null && node.kill("SIGTERM")) await ended
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

function report({ problems, statuses }: Found, wanted: number, memory: ReadonlyArray<number>, grown: number): void {
  const told = [...statuses].toSorted(([left], [right]) => left - right).map(([status, count]) => `${status}: ${count}`)
  process.stdout.write(`${wanted} requests, ${wanted / 10} connections of raw bytes, ${dawdlers} that dawdled\n`)
  process.stdout.write(`answers  ${told.join("  ")}\n`)
  process.stdout.write(
    `memory   ${(Math.max(...memory) / 2 ** 20).toFixed(0)} MB at most, ×${grown.toFixed(2)} from the second quarter to the last\n`
  )
  for (const problem of problems) process.stdout.write(`problem  ${problem}\n`)
  process.stdout.write(problems.length === 0 ? "clean\n" : `${problems.length} problems\n`)
  if (problems.length > 0) process.exitCode = 1
}

async function inLanes<A>(all: ReadonlyArray<A>, each: (one: A) => Promise<void>): Promise<void> {
  const left = [...all]
  const lane = async (): Promise<void> => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await each(one)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Status 0: no answer, and why. */
const send = (port: number, agent: http.Agent, { body, headers, method, target }: DrawnRequest, key: string) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve) => {
    // Who asks to wait is waited for.
    const timeout = answerWithinMillis + (target.includes("wait=stable") ? waitSecondsMax * 1_000 : 0)
    const authorization = key === "" ? {} : { authorization: `Bearer ${key}` }
    const request = http.request(
      {
        port,
        host: "127.0.0.1",
        agent,
        method,
        path: target,
        headers: { ...headers, ...authorization },
        timeout
      },
      (response) => {
        const parts: Array<Buffer> = []
        response.on("data", (part: Buffer) => parts.push(part))
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
        response.on("error", (error) => resolve({ status: 0, text: error.message }))
      }
    )
    request.on("timeout", () => request.destroy(new Error(`none in ${timeout} ms`)))
    request.on("error", (error) => resolve({ status: 0, text: error.message }))
    request.end(body)
  })

/** Whatever is answered is no failure of the server's; that it answers nothing is allowed. */
const sendRaw = (port: number, bytes: Uint8Array, { problems }: Found): Promise<void> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.end(bytes))
    let told = ""
    socket.on("data", (part) => (told += part.toString("latin1")))
    // Reset by the server, or by its end: as good as closed.
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      if (/^HTTP\/1\.1 5/m.test(told))
        problems.push(`${told.slice(0, 200)} to ${JSON.stringify(Buffer.from(bytes).toString("latin1").slice(0, 300))}`)
      if (told.includes(secret)) problems.push("b's secret was told to raw bytes")
      resolve()
    })
    socket.setTimeout(2_000, () => socket.destroy())
  })

/** A head that never ends, a few bytes at a time. */
function dawdle(port: number): net.Socket {
  const socket = net.connect(port, "127.0.0.1")
  socket.on("error", () => socket.destroy())
  socket.write("GET /v1/members HTTP/1.1\r\nhost: localhost\r\n")
  const timer = setInterval(() => socket.writable && socket.write("x"), 1_000)
  socket.on("close", () => clearInterval(timer))
  return socket
}

async function standBy(address: string, key: string, { problems }: Found): Promise<void> {
  try {
    const signal = AbortSignal.timeout(bystanderWithinMillis)
    const { status } = await fetch(`${address}/v1/projects/b/fleets/web`, {
      headers: { authorization: `Bearer ${key}` },
      signal
    })
    if (status !== 200) problems.push(`a bystander was answered ${status}`)
  } catch (error) {
    problems.push(`a bystander was not answered: ${(error as Error).message}`)
  }
}

/** The launcher starts the node as its only child. */
function pidOfNode(launched: number): number {
  const children = fs.readFileSync(`/proc/${launched}/task/${launched}/children`, "utf8").trim()
  return children === "" ? launched : Number(children.split(" ")[0])
}

/** 0 of a process that has ended. */
function residentBytes(pid: number): number {
  const file = `/proc/${pid}/status`
  return 1_024 * Number(/VmRSS:\s+(\d+)/.exec(fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "")?.[1] ?? 0)
}

function growthOf(memory: ReadonlyArray<number>): number {
  const quarter = Math.floor(memory.length / 4)
  if (quarter === 0) return 1
  const middle = (from: number): number =>
    memory.slice(from, from + quarter).toSorted((left, right) => left - right)[Math.floor(quarter / 2)]!
  return middle(memory.length - quarter) / middle(quarter)
}

const command = Command.make(
  "fuzz",
  {
    requests: Flag.Int("requests").pipe(Flag.withDescription("How many"), Flag.withDefault(50_000)),
    seed: Flag.Int("seed").pipe(Flag.withDescription("What is drawn follows from it"), Flag.withDefault(1)),
    port: Flag.Int("port").pipe(Flag.withDescription("Of the node"), Flag.withDefault(18_778))
  },
  (options) =>
    attempt(() => {
      const program: Effect.Effect<void, unknown, Scope.Scope> = Effect.gen(function* () {
        const { connection } = yield* make({ fsync: false })
        const plain = yield* plainDatabase(connection)
        yield* Effect.promise(() => fuzz(options, urlOf(plain)))
      })
      return Effect.runPromise(Effect.scoped(program))
    })
).pipe(Command.withDescription("Asks a node for what it does and does not take, and looks at what it answers"))

process.exitCode = (await runCommand(command)) ?? process.exitCode ?? 0
