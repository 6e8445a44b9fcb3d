import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import * as Net from "node:net"
import path from "node:path"
import { createInterface } from "node:readline"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { LawBroken, laws, type NetworkWorld, type Process } from "../../core/socket/NetworkContract.fixture.ts"
import { Wire } from "./Wire.fixture.ts"

const peer = path.join(import.meta.dirname, "NetworkPeer.fixture.ts")

/** How long a law waits for what it says to come about: many times what it takes. */
const patienceMillis = 60_000

/** A program of the contract as a process of its own, ended with the scope. */
const start = (name: string, ...parameters: ReadonlyArray<string>) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [peer, ...parameters], { stdio: ["pipe", "pipe", "inherit"] })
        const lines: Array<unknown> = []
        createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)))
        return { child, lines, ended: new Promise((resolve) => child.once("close", resolve)) }
      }),
      ({ child, ended }) =>
        Effect.promise(async () => {
          child.kill("SIGKILL")
          await ended
        })
    ),
    ({ child, ended, lines }) => ({ lines, ended, process: processOf(name, child, lines) })
  )

const processOf = (name: string, child: ChildProcess, lines: ReadonlyArray<unknown>): Process => {
  const signal = (kind: NodeJS.Signals) => Effect.sync(() => void child.kill(kind))
  return {
    name,
    said: () => lines.filter((line) => typeof line === "string"),
    stop: signal("SIGTERM"),
    kill: signal("SIGKILL"),
    freeze: signal("SIGSTOP"),
    thaw: signal("SIGCONT"),
    memoryMiB: () => {
      if (process.platform !== "linux") return undefined
      const [, kibibytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? []
      return Number(kibibytes) / 1_024
    }
  }
}

const until = (what: string, holds: () => boolean): Effect.Effect<void, LawBroken> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new LawBroken({ message: what })))).pipe(
    Effect.retry({ times: patienceMillis / 20, schedule: Schedule.spaced("20 millis") }),
    Effect.mapError(() => new LawBroken({ message: `${what}: not within ${patienceMillis} ms` }))
  )

/** Processes on this machine; with a wire between them where a law disturbs it. */
const real = (isOnTheWay: boolean): Effect.Effect<NetworkWorld, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let port = 0
    const wire = yield* Effect.acquireRelease(
      Effect.promise(() => Wire.open(() => port)),
      (opened) => Effect.sync(() => opened.close())
    )
    const inScope = Effect.provideService(Scope.Scope, scope)
    let server: { readonly ended: Promise<unknown> } | undefined
    let callers = 0
    return {
      serve: inScope(
        Effect.gen(function* () {
          const former = server
          if (former !== undefined) yield* Effect.promise(() => former.ended)
          const started = yield* start("server", "server", String(port))
          server = started
          const listening = () => started.lines.find((line) => typeof line === "object") as { port: number } | undefined
          yield* until("the server listens", () => listening() !== undefined)
          port = listening()?.port ?? 0
          return started.process
        })
      ),
      vacant: Effect.promise(async () => {
        const taken = Net.createServer()
        await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
        port = (taken.address() as Net.AddressInfo).port
        await new Promise((resolve) => taken.close(resolve))
      }),
      call: (caller, input) =>
        inScope(
          Effect.gen(function* () {
            const at = `127.0.0.1:${isOnTheWay ? wire.port : port}`
            const started = yield* start(`caller-${callers++}`, caller, JSON.stringify({ ...input, at }))
            return started.process
          })
        ),
      cut: Effect.sync(() => wire.cut()),
      clog: Effect.map(
        Effect.sync(() => wire.clog()),
        (release) => Effect.sync(release)
      ),
      reset: Effect.sync(() => wire.reset()),
      messagesMany: 2_048,
      connections: () => wire.connections,
      until
    }
  })

// Side by side, as they mostly wait.
describe.concurrent("the laws of the network hold between processes", () => {
  for (const law of laws) {
    it.live(law.name, () => Effect.scoped(Effect.flatMap(real(law.isOnTheWay === true), law.holds)), 4 * patienceMillis)
  }
})
